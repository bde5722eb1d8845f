import { orNull, type JsonSchema, type ObjectSchema } from './json-schema';
import { declaredMembers, type Member, type ParamsClass } from './params-rules';

/**
 * What `bindParams` takes, as JSON Schema: an object of the declared members. Null is a way to leave out what may be
 * left out. Params are the object, or an array of it alone; no params are an empty object.
 */
export function paramsSchema(declared: ParamsClass): ObjectSchema {
  const members = [...membersInOrder(declared)];
  return {
    title: declared.name,
    type: 'object',
    properties: Object.fromEntries(members.map(([name, member]) => [name, memberSchema(member)])),
    required: members.filter(([, { isOptional }]) => !isOptional).map(([name]) => name),
    additionalProperties: false,
    ...declared.crossSchema,
  };
}

function memberSchema(member: Member): JsonSchema {
  const schema = withNested(member);
  const { default: value, isOptional } = member;
  const allowed = isOptional ? orNull(schema) : schema;
  return value === undefined ? allowed : { ...allowed, default: value };
}

function withNested({ kind, schema }: Member): JsonSchema {
  if (kind === 'plain' || kind === 'json') return schema;
  const nested = paramsSchema(kind);
  return schema.type === 'array' ? { ...schema, items: nested } : { ...nested, ...schema };
}

/** Inherited members first: they say what the call is about. */
function membersInOrder(declared: ParamsClass): ReadonlyMap<string, Member> {
  const parent = Object.getPrototypeOf(declared) as ParamsClass;
  const inherited = parent === Function.prototype ? [] : membersInOrder(parent);
  return new Map([...inherited, ...declaredMembers(declared)]);
}
