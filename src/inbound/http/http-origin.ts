import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator';
import type { CallOrigin } from '../json-rpc/call-context';
import { peerNetwork } from './peer-network';

/** Never rejects. */
export async function httpOrigin(
  request: FastifyRequest,
  authenticator: Authenticator,
  onRateLimit?: CallOrigin['onRateLimit'],
): Promise<CallOrigin> {
  const { headers } = request;
  const peer = peerNetwork(request);
  const identity = await authenticator.identify((name) => utf8(headers[name]), peer);
  return { transport: 'http', identity, peer, onRateLimit };
}

/** Node decodes header values as Latin-1, but clients send UTF-8. */
function utf8(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : undefined;
}
