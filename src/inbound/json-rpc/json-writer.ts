import { JsonText } from '../../core/domain/json-text';

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
