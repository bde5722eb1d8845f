import { SealedText } from '../../../../src/outbound/postgres/sealed-text';

const sealer = new SealedText(Buffer.alloc(32, 7));
const TEXT = '2/abc/1:1:/0/0/-/-';

describe('SealedText', () => {
  it.each([0, 1, 95, 96, 97, 128, 500])('opens what it has sealed: %i characters', (length) => {
    expect(sealer.open(sealer.seal('x'.repeat(length)))).toBe('x'.repeat(length));
  });

  it('seals a text differently each time, so that nobody sees that two are equal', () => {
    const sealed = Array.from({ length: 100 }, () => sealer.seal(TEXT));
    // Neither as a whole nor in a part: the first block of the cipher, for example.
    for (const part of [(one: string) => one, (one: string) => one.slice(0, 20), (one: string) => one.slice(-20)])
      expect(new Set(sealed.map(part)).size).toBe(sealed.length);
  });

  it('does not tell the length of a text by that of the sealed one', () => {
    expect(new Set(['', TEXT, 'x'.repeat(96)].map((text) => sealer.seal(text).length)).size).toBe(1);
  });

  it('opens what an earlier release has sealed', () => {
    const sealed =
      'Sma-C6kZiDngU9k9fDQSd81skcMA02RhWF8PrJq3YcKLUNKsUjaWv04LZS5l6-9ly06LBs3oTgReiyYeI-QitgTfbJ1yg7MFWEaZpDPZVXvT9CgwzYAKEqGiN05f-Yhns26T3f7scHMjQhhVAo4qw6m5fY_j97k1FV6zLSyWO_Na5rhQz8I60xJ-HVrxGCUC';
    expect(sealer.open(sealed)).toBe(TEXT);
  });

  it('opens nothing that was sealed with another key, or changed', () => {
    const sealed = sealer.seal(TEXT);
    expect(new SealedText(Buffer.alloc(32, 8)).open(sealed)).toBeUndefined();
    for (let i = 0; i < sealed.length; i++) {
      const other = sealed[i] === 'A' ? 'B' : 'A';
      expect(sealer.open(sealed.slice(0, i) + other + sealed.slice(i + 1))).toBeUndefined();
    }
    expect(sealer.open('')).toBeUndefined();
  });
});
