import { isUtf8 } from 'node:buffer';
import type { Steps } from './json-scanner';

/** In bytes: about a millisecond of work. */
const SLICE = 128 * 1024;

/**
 * The text of a message, in steps: it takes ten times as long to make it of characters beyond ASCII as to read it.
 * Bytes that are not UTF-8 become an empty text, which fails to parse.
 */
export function* messageText(bytes: Buffer): Steps<string> {
  if (!isUtf8(bytes)) return '';
  let text = '';
  for (let start = 0; start < bytes.length;) {
    if (start > 0) yield;
    const end = startOfCharacter(bytes, start + SLICE);
    text += bytes.toString('utf8', start, end);
    start = end;
  }
  return text;
}

function startOfCharacter(bytes: Buffer, at: number): number {
  let start = at;
  while (((bytes[start] ?? 0) & 0xc0) === 0x80) start -= 1;
  return start;
}
