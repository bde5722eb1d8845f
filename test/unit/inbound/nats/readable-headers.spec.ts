import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node';
import { withReadableHeaders } from '../../../../src/inbound/nats/readable-headers';

const KIB = 1024;
const sent = headers();
sent.set('x-api-key', 'k');

/** `headerText` is what stands before the payload. */
function message(headerText: string, readHeaders: () => MsgHdrs = () => sent): Msg {
  const received = Buffer.concat([Buffer.from(headerText), Buffer.alloc(500 * KIB, '\n')]);
  const plain: object = { data: received.subarray(headerText.length), _rdata: received, reply: '_INBOX.a' };
  return Object.defineProperty(plain, 'headers', { get: readHeaders }) as Msg;
}

const lines = (count: number) => 'a:\r\n'.repeat(count);

describe('withReadableHeaders', () => {
  it('keeps headers of a usual size', () => {
    expect(withReadableHeaders(message('x'.repeat(8 * KIB))).headers?.get('x-api-key')).toBe('k');
  });

  it('drops headers that are too large without reading them', () => {
    const read = jest.fn(() => sent);
    const readable = withReadableHeaders(message('x'.repeat(8 * KIB + 1), read));
    expect([readable.headers, readable.reply]).toEqual([undefined, '_INBOX.a']);
    expect(read).not.toHaveBeenCalled();
  });

  it('drops headers that are very many without reading them: the client compares each with all others', () => {
    expect(withReadableHeaders(message(lines(66))).headers?.get('x-api-key')).toBe('k');
    const read = jest.fn(() => sent);
    expect(withReadableHeaders(message(lines(67), read)).headers).toBeUndefined();
    expect(read).not.toHaveBeenCalled();
  });

  it('drops headers that are malformed', () => {
    const fail = () => {
      throw new Error("'header' ' ' is not a valid character in a header name");
    };
    expect(withReadableHeaders(message('x', fail)).headers).toBeUndefined();
  });
});
