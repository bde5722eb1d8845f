import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator';
import { callIds, type CallIds } from '../correlation/call-ids';
import type { CallOrigin } from '../json-rpc/call-context';
import { traceOf } from './http-span';
import { peerNetwork } from './peer-network';

/** Never rejects. */
export async function httpOrigin(
  request: FastifyRequest,
  authenticator: Authenticator,
  onRateLimit?: CallOrigin['onRateLimit'],
): Promise<CallOrigin> {
  const { headers } = request;
  const peer = peerNetwork(request);
  const ids = idsOf(request);
  const identity = await authenticator.identify((name) => utf8(headers[name]), peer, ids);
  return { transport: 'http', identity, peer, ids, onRateLimit };
}

export function idsOf(request: FastifyRequest): CallIds {
  const { traceparent } = traceOf(request) ?? request.headers;
  return callIds(request.id, traceparent);
}

/** Node decodes header values as Latin-1, but clients send UTF-8. */
export function utf8(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : undefined;
}
