type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/**
 * JSON Schema 2020-12, of which only keywords are used that mean the same in draft 7: OpenRPC has that. What JSON
 * Schema cannot say has a keyword of our own, and the description says it to people:
 *
 * - `x-maxBytes`: the most bytes of a string, `x-maxJsonBytes` of the JSON text of any value, in UTF-8; a setting by
 *   its name
 * - `x-maxDepth`: the most levels of arrays and objects
 * - `x-equal`: members that must be equal if both are there and not null
 * - `x-null`: what null means, if it does not count as left out
 * - `format: "http-url"`: an absolute URL that the WHATWG parser takes, http or https, without credentials
 */
export interface JsonSchema {
  /** Schemas with a title are the named ones: documents have each of them once. */
  readonly title?: string;
  readonly description?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly format?: 'date-time' | 'uuid' | 'http-url';
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly 'x-maxBytes'?: number | 'MAX_ATTACHMENT_BYTES';
  readonly 'x-maxJsonBytes'?: number | 'MAX_ATTACHMENT_BYTES';
  readonly 'x-maxDepth'?: number;
  readonly 'x-equal'?: readonly string[];
  readonly 'x-null'?: string;
}

/** An object of a schema, with what it has of its own. */
export interface ObjectSchema extends JsonSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
}

type Members = Readonly<Record<string, JsonSchema>>;

export function objectOf(title: string | undefined, required: Members, optional: Members = {}): ObjectSchema {
  return {
    ...(title === undefined ? {} : { title }),
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
  };
}

export function integerFrom(minimum: number, maximum = Number.MAX_SAFE_INTEGER): JsonSchema {
  return { type: 'integer', minimum, maximum };
}

export function oneOfWords(words: readonly string[]): JsonSchema {
  return { type: 'string', enum: words };
}

/** What `schema` allows, and null. A schema without a type that lists no alternatives allows it already. */
export function orNull(schema: JsonSchema): JsonSchema {
  if (schema.anyOf && schema.type === undefined) return { ...schema, anyOf: [...schema.anyOf, { type: 'null' }] };
  if (schema.type === undefined) return schema;
  const type = [schema.type, 'null'].flat() as JsonType[];
  return schema.enum ? { ...schema, type, enum: [...schema.enum, null] } : { ...schema, type };
}
