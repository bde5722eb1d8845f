import { JsonText } from '../../core/domain/json-text';

/**
 * `JSON.stringify` for views, except that a `JsonText` is written as the text that came in. The names of members are
 * not escaped: views have plain words for names, and data of callers is never a name, only a text or a string.
 * `onText` sees every text of a value, and may throw.
 */
export function writeJson(value: unknown, onText?: (text: string) => void): string {
  if (typeof value !== 'object' || value === null) return written(JSON.stringify(value) ?? 'null', onText);
  if (value instanceof JsonText) return written(value.text, onText);
  if (Array.isArray(value)) return `[${value.map((element) => writeJson(element, onText)).join(',')}]`;
  let members = '';
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined) continue;
    members += `${members && ','}"${name}":${writeJson(member, onText)}`;
  }
  return `{${members}}`;
}

function written(text: string, onText?: (text: string) => void): string {
  onText?.(text);
  return text;
}
