import { Socket } from 'node:net';
import { noteSender, senderOf } from '../../../../src/inbound/http/sender-of';

describe('the sender of the next request of a connection', () => {
  const connectionFrom = (remoteAddress: string) =>
    Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress });

  it('is its peer while nobody has been identified in it: an address, or a network of IPv6', () => {
    expect(senderOf(connectionFrom('192.0.2.1'))).toBe('http:192.0.2.1');
    expect(senderOf(connectionFrom('2001:db8::1'))).toBe(senderOf(connectionFrom('2001:db8::2')));
    expect(senderOf(connectionFrom('2001:db8::1'))).not.toBe(senderOf(connectionFrom('2001:db8:0:1::1')));
  });

  it('is the caller who was identified in it last', () => {
    const [mine, other] = [connectionFrom('192.0.2.1'), connectionFrom('192.0.2.1')];
    noteSender(mine, 'organization:a');
    noteSender(mine, 'organization:b');
    expect([senderOf(mine), senderOf(other)]).toEqual(['organization:b', 'http:192.0.2.1']);
  });
});
