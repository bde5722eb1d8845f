import { JsonText } from '../../core/domain/json-text';
import type { Steps } from './json-scanner';

/** In UTF-16 units: about a millisecond of work. */
const STEP = 128 * 1024;

/** A value is not written to its end, because its text is longer than it may be. */
export class JsonTooLong extends Error {}

/**
 * `JSON.stringify` for views, except that a `JsonText` is written as the text that came in. The names of members are
 * not escaped: views have plain words for names, and data of callers is never a name, only a text or a string.
 * Throws `JsonTooLong` after the first member or element that exceeds `maxLength`, in UTF-16 units.
 */
export function writeJson(value: unknown, maxLength = Infinity): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (value instanceof JsonText) return value.text;
  return Array.isArray(value) ? writeArray(value, maxLength) : writeObject(value as Record<string, unknown>, maxLength);
}

/**
 * As `writeJson`, in steps of one element, or of several small ones, of the arrays that a result consists of. The loops
 * of `writeJson` stand beside it because generators would make it about a third slower for small values.
 */
export function* writeJsonInSteps(value: object, maxLength: number): Steps<string> {
  const isArray = Array.isArray(value);
  let text = '';
  let pauseAt = STEP;
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    if (member === undefined && !isArray) continue;
    const left = maxLength - text.length;
    const written = Array.isArray(member) ? yield* writeJsonInSteps(member, left) : writeJson(member, left);
    text += `${text && ','}${isArray ? '' : `"${name}":`}${written}`;
    if (text.length > maxLength) throw new JsonTooLong();
    if (text.length > pauseAt) {
      pauseAt = text.length + STEP;
      yield;
    }
  }
  return isArray ? `[${text}]` : `{${text}}`;
}

/** A string as JSON, in steps. */
export function* quoteInSteps(value: string): Steps<string> {
  let text = '';
  for (let start = 0; start < value.length;) {
    if (start > 0) yield;
    const end = endOfSlice(value, start + STEP);
    text += JSON.stringify(value.slice(start, end)).slice(1, -1);
    start = end;
  }
  return `"${text}"`;
}

/** Not between the two halves of a character: each would be escaped. */
function endOfSlice(value: string, at: number): number {
  const isHalf = (value.charCodeAt(at - 1) & 0xfc00) === 0xd800;
  return isHalf ? at + 1 : at;
}

function writeArray(elements: readonly unknown[], maxLength: number): string {
  let text = '';
  for (const element of elements) {
    text += `${text && ','}${writeJson(element, maxLength - text.length)}`;
    if (text.length > maxLength) throw new JsonTooLong();
  }
  return `[${text}]`;
}

function writeObject(members: Record<string, unknown>, maxLength: number): string {
  let text = '';
  for (const name in members) {
    const member = members[name];
    if (member === undefined) continue;
    text += `${text && ','}"${name}":${writeJson(member, maxLength - text.length)}`;
    if (text.length > maxLength) throw new JsonTooLong();
  }
  return `{${text}}`;
}
