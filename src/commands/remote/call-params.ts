import { readFileSync } from 'node:fs';
import { JsonText } from '../../core/domain/json-text';
import type { JsonSchema } from '../../inbound/methods/json-schema';
import { UsageError } from '../exit-code';

/** A member of an object: JSON text, or an object that is being put together. */
type Value = string | Members;
type Members = Map<string, Value>;

/** `limit=5`, `value:={"a":1}`, `updates.priority=7`. */
const WORD = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)(:?=)([^]*)$/;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const STANDARD_INPUT = 0;

/**
 * The params that the words of a command line mean, as JSON text. `=` takes the value as the schema says; if a number
 * is meant, a text that is no number goes to the service as it is, so that the service refuses it by its name. `:=`
 * takes JSON. Throws `UsageError`, which names the parameter.
 */
export function callParams(schema: JsonSchema, words: readonly string[]): string {
  const params: Members = new Map();
  for (const word of words) {
    const [, path, sign, given] = WORD.exec(word) ?? [];
    if (path === undefined || given === undefined) {
      throw new UsageError(`${JSON.stringify(word)} must be name=value, or name:=json`);
    }
    const text = given.startsWith('@') ? contentOf(path, given.slice(1)) : given;
    const value = sign === ':=' ? jsonOf(path, text) : valueOf(path, schemaAt(schema, path), text);
    put(params, path, value);
  }
  return textOf(params);
}

/** Undefined if the method has no such parameter. */
function schemaAt(schema: JsonSchema, path: string): JsonSchema | undefined {
  return path.split('.').reduce<JsonSchema | undefined>((at, name) => at?.properties?.[name], schema);
}

function valueOf(path: string, schema: JsonSchema | undefined, text: string): string {
  const kinds = kindsOf(schema);
  const takesText = kinds.includes('string');
  if (takesText && !(kinds.includes('array') && text.startsWith('['))) return JSON.stringify(text);
  if (kinds.includes('null') && text === 'null') return text;
  if (kinds.includes('boolean')) return text === 'true' || text === 'false' ? text : JSON.stringify(text);
  if (kinds.includes('integer') || kinds.includes('number'))
    return JSON_NUMBER.test(text) ? text : JSON.stringify(text);
  return jsonOf(path, text);
}

/** The service refuses an unknown parameter by its name, whatever its value is. */
function kindsOf(schema: JsonSchema | undefined): readonly string[] {
  if (!schema) return ['string'];
  if (schema.anyOf && schema.type === undefined) return schema.anyOf.flatMap(kindsOf);
  return [schema.type ?? []].flat();
}

function jsonOf(path: string, text: string): string {
  try {
    JSON.parse(text);
  } catch {
    throw new UsageError(`${path}: must be JSON, such as 42, true, {"a":1} or '"text"'`);
  }
  return JsonText.fromValid(text).text;
}

/** `-` is the standard input. */
function contentOf(path: string, file: string): string {
  try {
    return readFileSync(file === '-' ? STANDARD_INPUT : file, 'utf8');
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

function put(params: Members, path: string, value: string): void {
  const names = path.split('.');
  const last = names.pop() as string;
  let at = params;
  for (const name of names) {
    const inner = at.get(name) ?? new Map<string, Value>();
    if (typeof inner === 'string') throw new UsageError(`${path}: ${name} is given as a whole, too`);
    at.set(name, inner);
    at = inner;
  }
  if (at.has(last)) throw new UsageError(`${path}: is given twice`);
  at.set(last, value);
}

function textOf(members: Members): string {
  const parts = [...members].map(([name, value]) => {
    return `${JSON.stringify(name)}:${typeof value === 'string' ? value : textOf(value)}`;
  });
  return `{${parts.join(',')}}`;
}
