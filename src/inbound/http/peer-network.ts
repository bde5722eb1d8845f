import { isIP, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { IPv6 } from 'ipaddr.js';

type Peer = Pick<FastifyRequest, 'ip' | 'socket'>;

/** Groups of an IPv6 address that name a network: a customer of a provider may call from any address in it. */
const NETWORK_GROUPS = 4;

/**
 * Where a request comes from: an IPv4 address, or the /64 network of an IPv6 address. What a trusted proxy says only
 * counts if it is an address.
 */
export function peerNetwork({ ip, socket }: Peer): string {
  const address = isIP(ip) === 0 ? (socket.remoteAddress ?? '') : ip;
  return isIPv6(address) ? networkOf(address) : address;
}

function networkOf(ipv6: string): string {
  // The library refuses some names of zones that Node accepts.
  const [withoutZone = ''] = ipv6.split('%');
  const address = IPv6.parse(withoutZone);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  const groups = address.parts.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${groups.join(':')}::/64`;
}
