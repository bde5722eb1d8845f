import { JsonText } from '../../core/domain/json-text';

/**
 * `JSON.stringify` for views: a `JsonText` goes out as the very text that came in. Members that are undefined are left
 * out; depth is that of our own views, since the text of a value is never looked into.
 */
export function writeJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  let members = '';
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    members += `${members && ','}${JSON.stringify(name)}:${writeJson(member)}`;
  }
  return `{${members}}`;
}
