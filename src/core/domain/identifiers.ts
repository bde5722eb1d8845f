import { MAX_KEY_LENGTH, MAX_TASK_ID_LENGTH } from './limits';

const TASK_ID = new RegExp(`^[A-Za-z0-9._~-]{1,${MAX_TASK_ID_LENGTH}}$`);
/** What `newAttachmentId` makes, as a regular expression. */
export const ATTACHMENT_ID_PATTERN = '^ta-[0-9]+-[0-9a-z]{9}$';
const CONTROL_CHARACTER = /\p{Cc}/u;
const UNPAIRED_SURROGATE = /\p{Cs}/u;
const HIGH_SURROGATE = /[\ud800-\udbff]/;

export function newTaskId(nowMs: number, suffix: string): string {
  return `t-${nowMs}-${suffix}`;
}

export function newAttachmentId(nowMs: number, suffix: string): string {
  return `ta-${nowMs}-${suffix}`;
}

export function taskIdProblem(id: unknown): string | undefined {
  if (typeof id === 'string' && TASK_ID.test(id)) return undefined;
  const rule = `must be 1 to ${MAX_TASK_ID_LENGTH} characters of A-Z a-z 0-9 . _ ~ -`;
  return typeof id === 'string' && isLongerThan(id, MAX_TASK_ID_LENGTH) ? `${rule}, is ${lengthOf(id)} long` : rule;
}

export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== 'string' || key === '') return `must be a string of 1 to ${MAX_KEY_LENGTH} characters`;
  return keyTextProblem(key);
}

/** A prefix may be empty: then it matches every key. */
export function keyPrefixProblem(prefix: unknown): string | undefined {
  if (typeof prefix !== 'string') return `must be a string of at most ${MAX_KEY_LENGTH} characters`;
  return keyTextProblem(prefix);
}

function keyTextProblem(text: string): string | undefined {
  const problem = lengthProblem(text, MAX_KEY_LENGTH);
  if (problem) return problem;
  if (CONTROL_CHARACTER.test(text)) return 'must not contain control characters';
  if (UNPAIRED_SURROGATE.test(text)) return 'must not contain unpaired surrogates';
  return undefined;
}

/** What keeps `text` from being stored as UTF-8 text in every store. */
export function storableTextProblem(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain U+0000';
  if (UNPAIRED_SURROGATE.test(text)) return 'must not contain unpaired surrogates';
  return undefined;
}

/** Says how long a text is that has more than `max` characters. */
export function lengthProblem(text: string, max: number): string | undefined {
  return isLongerThan(text, max) ? `must be at most ${max} characters long, is ${lengthOf(text)}` : undefined;
}

/** Whether `text` has more than `max` code points; the cost does not grow with a huge text. */
export function isLongerThan(text: string, max: number): boolean {
  return text.length > max && (text.length > 2 * max || lengthOf(text) > max);
}

/** In Unicode code points. A text that is refused may have millions: only pairs of surrogates are looked for. */
function lengthOf(text: string): number {
  let length = text.length;
  for (let at = text.search(HIGH_SURROGATE); at >= 0 && at < text.length; at++) {
    if (isHighSurrogate(text.charCodeAt(at)) && isLowSurrogate(text.charCodeAt(at + 1))) length -= 1;
  }
  return length;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
