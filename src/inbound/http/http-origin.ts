import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator';
import { callIds, type CallIds } from '../correlation/call-ids';
import { shareOf, type CallOrigin } from '../json-rpc/call-context';
import type { Reservation } from '../load/byte-budget';
import { traceOf } from './http-span';
import { peerNetwork } from './peer-network';
import { noteSender } from './sender-of';

/** `reserve` is given whose work the request is. Never rejects. */
export async function httpOrigin(
  request: FastifyRequest,
  authenticator: Authenticator,
  onRateLimit?: CallOrigin['onRateLimit'],
  reserve?: (share: string) => Reservation,
): Promise<CallOrigin> {
  const { headers } = request;
  const peer = peerNetwork(request);
  const ids = idsOf(request);
  const identity = await authenticator.identify((name) => utf8(headers[name]), peer, ids);
  const share = shareOf({ transport: 'http', identity, peer });
  noteSender(request.socket, share);
  const reservation = reserve?.(share);
  return { transport: 'http', identity, peer, ids, onRateLimit, reservation };
}

export function idsOf(request: FastifyRequest): CallIds {
  const { traceparent } = traceOf(request) ?? request.headers;
  return callIds(request.id, traceparent);
}

/** Node decodes header values as Latin-1, but clients send UTF-8. */
export function utf8(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : undefined;
}
