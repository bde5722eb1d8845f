import { isIP, isIPv6 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { IPv6, parse, type IPv4 } from 'ipaddr.js';

type Peer = Pick<FastifyRequest, 'ip' | 'socket'>;

/** Groups of an IPv6 address that name a network: a customer of a provider may call from any address in it. */
const NETWORK_GROUPS = 4;
const IPV4_BITS = 32;
const IPV6_BITS = 128;
/** Some proxies report a port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/;

/**
 * Where a request comes from: an IPv4 address, or the /64 network of an IPv6 address. What a trusted proxy says only
 * counts if it is an address.
 */
export function peerNetwork({ ip, socket }: Peer): string {
  const { remoteAddress = '' } = socket;
  return networkOfAddress(ip === remoteAddress ? ip : (addressIn(ip) ?? remoteAddress));
}

/** As `peerNetwork`, for the address of a connection. */
export function networkOfAddress(address: string): string {
  return address.includes(':') && isIPv6(address) ? networkOf(address) : address;
}

/** Whether an address, perhaps with a port, lies in one of these addresses and CIDR ranges. */
export function addressRanges(ranges: readonly string[]): (address: string) => boolean {
  const parsed = ranges.map(rangeOf);
  return (text) => {
    const spelt = addressIn(text);
    if (spelt === undefined) return false;
    const address = unmapped(spelt);
    return parsed.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits));
  };
}

/** An IPv4 range even if it is spelt as an IPv6 range. */
function rangeOf(text: string): [address: IPv4 | IPv6, bits: number] {
  const [spelt = '', length] = text.split('/');
  const address = parse(spelt);
  const bits = Number(length ?? (address.kind() === 'ipv4' ? IPV4_BITS : IPV6_BITS));
  const isMapped = address instanceof IPv6 && address.isIPv4MappedAddress() && bits >= IPV6_BITS - IPV4_BITS;
  return isMapped ? [address.toIPv4Address(), bits - (IPV6_BITS - IPV4_BITS)] : [address, bits];
}

function addressIn(ip: string): string | undefined {
  if (isIP(ip) !== 0) return ip;
  const [, bracketed, plain] = WITH_PORT.exec(ip) ?? [];
  const address = bracketed ?? plain ?? '';
  return isIP(address) === 0 ? undefined : address;
}

function networkOf(ipv6: string): string {
  const address = unmapped(ipv6);
  if (!(address instanceof IPv6)) return address.toString();
  const groups = address.parts.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${groups.join(':')}::/64`;
}

/** An IPv4 address even if it is spelt as an IPv6 address. */
function unmapped(text: string): IPv4 | IPv6 {
  // The library refuses some names of zones that Node accepts.
  const [withoutZone = ''] = text.split('%');
  const address = parse(withoutZone);
  return address instanceof IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}
