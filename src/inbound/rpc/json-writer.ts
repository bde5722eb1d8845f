import { JsonText } from '../../core/domain/json-text';

/**
 * `JSON.stringify` for views: a `JsonText` goes out as the very text that came in. The members' names must be plain
 * words, as those of our views are: they are not escaped. What callers send goes out as text or as strings only.
 */
export function writeJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  let members = '';
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    members += `${members && ','}"${name}":${writeJson(member)}`;
  }
  return `{${members}}`;
}
