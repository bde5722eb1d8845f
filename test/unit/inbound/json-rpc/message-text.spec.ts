import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { messageText } from '../../../../src/inbound/json-rpc/message-text';

const SLICE = 128 * 1024;

describe('the text of a message', () => {
  it.each(['', 'a', 'é', '漢', '😀'])('is what was sent, also if a slice ends within a character: %j', (character) => {
    for (let before = 0; before < 4; before++) {
      const text = 'x'.repeat(SLICE - before) + character.repeat(SLICE) + 'x';
      expect(completed(messageText(Buffer.from(text))) === text).toBe(true);
    }
  });

  it('is empty if the bytes are not UTF-8', () => {
    expect(completed(messageText(Buffer.from([0x7b, 0xff, 0x7d])))).toBe('');
    expect(completed(messageText(Buffer.concat([Buffer.alloc(SLICE, 'x'), Buffer.from('é').subarray(0, 1)])))).toBe('');
    expect(completed(messageText(Buffer.alloc(0)))).toBe('');
  });

  it('is made in steps of a part of it', () => {
    expect([...messageText(Buffer.alloc(100, 'x'))]).toHaveLength(0);
    expect([...messageText(Buffer.alloc(SLICE * 10, 'x'))]).toHaveLength(9);
  });
});
