import type { JsonSchema, ObjectSchema } from '../methods/json-schema';

/**
 * Hosts pass schemas of arguments on to model APIs, and several of these refuse alternatives at the top level. What the
 * alternatives say stands in the descriptions too, and the method refuses what does not fit.
 */
export function inputSchema(params: ObjectSchema): ObjectSchema {
  const { oneOf: _oneOf, anyOf: _anyOf, not: _not, ...rest } = params;
  return standard(rest) as ObjectSchema;
}

export function outputSchema(result: ObjectSchema): ObjectSchema {
  return standard(result) as ObjectSchema;
}

/** Without the keywords and formats of our own: validators warn of them, or refuse them. Descriptions say the same. */
function standard(schema: JsonSchema): JsonSchema {
  const own = Object.entries(schema).filter(([keyword, value]) => !keyword.startsWith('x-') && value !== 'http-url');
  return Object.fromEntries(own.map(([keyword, value]) => [keyword, standardValue(keyword, value)]));
}

function standardValue(keyword: string, value: unknown): unknown {
  switch (keyword) {
    case 'properties':
      return Object.fromEntries(
        Object.entries(value as object).map(([name, one]) => [name, standard(one as JsonSchema)]),
      );
    case 'anyOf':
    case 'oneOf':
      return (value as readonly JsonSchema[]).map(standard);
    case 'items':
    case 'not':
    case 'additionalProperties':
      return typeof value === 'object' ? standard(value as JsonSchema) : value;
    default:
      return value;
  }
}
