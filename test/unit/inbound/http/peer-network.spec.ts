import type { Socket } from 'node:net';
import { addressRanges, peerNetwork } from '../../../../src/inbound/http/peer-network';

const socket = { remoteAddress: '192.0.2.1' } as Socket;

describe('the network of a peer', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[203.0.113.7]:4711', '203.0.113.7'],
    ['[2001:db8:1:2::1]:4711', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::1]', '2001:db8:1:2::/64'],
    ['[::ffff:203.0.113.7]:4711', '203.0.113.7'],
  ])('the network of %s is %s', (ip, network) => {
    expect(peerNetwork({ ip, socket })).toBe(network);
  });

  it('the peer is the one of the connection if a proxy names no address', () => {
    for (const ip of ['', 'unknown', '203.0.113.7:port', '[203.0.113.7', '1.2.3:4', '[x]:1', 'x'.repeat(1000)]) {
      expect(peerNetwork({ ip, socket })).toBe('192.0.2.1');
    }
    expect(peerNetwork({ ip: '', socket: {} as Socket })).toBe('');
  });
});

describe('addresses and ranges of proxies', () => {
  const isTrusted = addressRanges(['192.0.2.1', '10.0.0.0/8', '2001:db8::/32']);

  it.each(['192.0.2.1', '192.0.2.1:4711', '::ffff:192.0.2.1', '10.1.2.3', '2001:db8::7', '[2001:db8::7]:443'])(
    '%s is one of them',
    (address) => expect(isTrusted(address)).toBe(true),
  );

  it.each(['192.0.2.2', '11.0.0.1', '2001:db9::1', '::1', '', 'unknown'])('%p is none of them', (address) =>
    expect(isTrusted(address)).toBe(false),
  );

  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['::ffff:10.0.0.0/104', '10.1.2.3', '11.1.2.3'],
    ['::ffff:0:0/96', '198.51.100.7', '2001:db8::1'],
  ])('%s is a range of IPv4', (range, inside, outside) => {
    const isTrusted = addressRanges([range]);
    expect([inside, `::ffff:${inside}`, outside].map(isTrusted)).toEqual([true, true, false]);
  });

  it('no range, no proxy', () => expect(addressRanges([])('10.0.0.1')).toBe(false));
});
