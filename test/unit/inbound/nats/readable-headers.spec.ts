import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node';
import { withReadableHeaders } from '../../../../src/inbound/nats/readable-headers';

const KIB = 1024;
const sent = headers();
sent.set('x-api-key', 'k');

function message(headerBytes: number, readHeaders: () => MsgHdrs = () => sent): Msg {
  const data = new Uint8Array(500 * KIB);
  const size = () => data.length + headerBytes;
  const plain: object = { data, size, reply: '_INBOX.a' };
  return Object.defineProperty(plain, 'headers', { get: readHeaders }) as Msg;
}

describe('withReadableHeaders', () => {
  it('keeps headers of a usual size', () => {
    expect(withReadableHeaders(message(8 * KIB)).headers?.get('x-api-key')).toBe('k');
  });

  it('drops headers that are too large without reading them', () => {
    const read = jest.fn(() => sent);
    const readable = withReadableHeaders(message(8 * KIB + 1, read));
    expect([readable.headers, readable.reply]).toEqual([undefined, '_INBOX.a']);
    expect(read).not.toHaveBeenCalled();
  });

  it('drops headers that are malformed', () => {
    const fail = () => {
      throw new Error("'header' ' ' is not a valid character in a header name");
    };
    expect(withReadableHeaders(message(100, fail)).headers).toBeUndefined();
  });
});
