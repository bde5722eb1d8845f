import { isIP, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';

type Peer = Pick<FastifyRequest, 'ip' | 'socket'>;

/** Groups of an IPv6 address that name a network: whoever is given one may call from any address in it. */
const NETWORK_GROUPS = 4;
const IPV4_MAPPED = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/;

/**
 * Where a request comes from: an IPv4 address, or the /64 network of an IPv6 address. What a trusted proxy says only
 * counts if it is an address.
 */
export function peerNetwork({ ip, socket }: Peer): string {
  const address = isIP(ip) === 0 ? (socket.remoteAddress ?? '') : ip;
  return isIPv6(address) ? networkOf(address) : address;
}

function networkOf(address: string): string {
  const [withoutZone = ''] = address.split('%');
  const canonical = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1);
  const mapped = IPV4_MAPPED.exec(canonical);
  if (mapped) return ipv4Of(mapped.slice(1).map((group) => parseInt(group, 16)));
  const [before = '', after] = canonical.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const omitted = after ? 8 - before.length - after.length : 0;
  const groups = [...before, ...Array<string>(omitted).fill('0'), ...(after ?? [])];
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

function ipv4Of(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
}
