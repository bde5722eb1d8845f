import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const TAG_BYTES = 16;
/** The length of a sealed text must not tell how many transactions were in progress, either. */
const PADDED_TO_BYTES = 128;
/** Of chance, two bits in each: positions that are equal tell that nobody has written in between. */
const MIN_PADDING_BYTES = 32;
/** Replicas that pad with spaces alone open it, too. */
const PADDING = ' \t\n\r';

/**
 * Texts that only the owner of the key can read or make. A text is sealed differently each time, by its padding. The
 * tag of both, which cannot be known without the key, is also the start of the cipher's counter.
 */
export class SealedText {
  private readonly macKey: Buffer;
  private readonly cipherKey: Buffer;

  /** Everything that opens what another has sealed has the same key. */
  constructor(key: Buffer) {
    const derived = (purpose: string) => createHmac('sha256', key).update(purpose).digest();
    this.macKey = derived('tag');
    this.cipherKey = derived('cipher');
  }

  /** Printable ASCII. */
  seal(text: string): string {
    const bytes = Buffer.from(text + paddingFor(text.length));
    const tag = this.tagOf(bytes);
    const cipher = createCipheriv('aes-256-ctr', this.cipherKey, tag);
    return Buffer.concat([tag, cipher.update(bytes), cipher.final()]).toString('base64url');
  }

  /** Undefined if it was not sealed with this key. */
  open(sealed: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64url');
    // The decoder ignores what is no base64: only one text stands for a position.
    if (bytes.length <= TAG_BYTES || bytes.toString('base64url') !== sealed) return undefined;
    const tag = bytes.subarray(0, TAG_BYTES);
    const decipher = createDecipheriv('aes-256-ctr', this.cipherKey, tag);
    const text = Buffer.concat([decipher.update(bytes.subarray(TAG_BYTES)), decipher.final()]);
    return timingSafeEqual(this.tagOf(text), tag) ? text.toString().trimEnd() : undefined;
  }

  private tagOf(bytes: Buffer): Buffer {
    return createHmac('sha256', this.macKey).update(bytes).digest().subarray(0, TAG_BYTES);
  }
}

function paddingFor(length: number): string {
  const padded = Math.ceil((length + MIN_PADDING_BYTES) / PADDED_TO_BYTES) * PADDED_TO_BYTES;
  return Array.from(randomBytes(padded - length), (byte) => PADDING[byte % PADDING.length]).join('');
}
