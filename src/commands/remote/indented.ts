import { jsonElements, jsonMembers } from '../../core/domain/json-text';

/** JSON text for people. Numbers keep their spelling, which a parser would change. */
export function indented(text: string, indent = ''): string {
  const inner = `${indent}  `;
  const isObject = text.startsWith('{');
  if (!isObject && !text.startsWith('[')) return text;
  const parts = isObject
    ? [...jsonMembers(text)].map(([name, value]) => `${JSON.stringify(name)}: ${indented(value, inner)}`)
    : jsonElements(text).map((element) => indented(element, inner));
  if (parts.length === 0) return text;
  const [open, close] = isObject ? ['{', '}'] : ['[', ']'];
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${indent}${close}`;
}
