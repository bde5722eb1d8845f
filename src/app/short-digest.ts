import { createHash } from 'node:crypto';

/** The first hex digits of the SHA-256, by which values are told apart. */
export function shortDigest(data: string | Buffer, length: number): string {
  return createHash('sha256').update(data).digest('hex').slice(0, length);
}
