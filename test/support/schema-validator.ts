import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import { urlProblem } from '../../src/core/domain/attachment';
import { JsonText } from '../../src/core/domain/json-text';
import { DEFAULT_MAX_ATTACHMENT_BYTES } from '../../src/core/domain/limits';
import type { JsonSchema } from '../../src/inbound/methods/json-schema';

type Limit = number | 'MAX_ATTACHMENT_BYTES';

/** A validator with the keywords of our own, which say what the domain does: misspelt keywords are refused. */
export function schemaValidator(
  schema: JsonSchema,
  { maxAttachmentBytes = DEFAULT_MAX_ATTACHMENT_BYTES } = {},
): ValidateFunction {
  const ajv = new Ajv2020({ strictSchema: true, allErrors: false, validateFormats: true });
  const bytesOf = (limit: Limit) => (limit === 'MAX_ATTACHMENT_BYTES' ? maxAttachmentBytes : limit);
  ajv.addKeyword({
    keyword: 'x-maxBytes',
    type: 'string',
    validate: (limit: Limit, text: string) => Buffer.byteLength(text) <= bytesOf(limit),
  });
  ajv.addKeyword({
    keyword: 'x-maxJsonBytes',
    validate: (limit: Limit, value: unknown) => JsonText.of(value).sizeBytes <= bytesOf(limit),
  });
  ajv.addKeyword({
    keyword: 'x-maxDepth',
    validate: (_depth: number, value: unknown) => JsonText.of(value).problem() === undefined,
  });
  ajv.addKeyword({
    keyword: 'x-equal',
    type: 'object',
    validate: (names: readonly string[], object: Record<string, unknown>) => {
      const given = names.map((name) => object[name]).filter((value) => value !== undefined && value !== null);
      return new Set(given).size <= 1;
    },
  });
  ajv.addKeyword({ keyword: 'x-null', schemaType: 'string' });
  ajv.addFormat('http-url', (text) => urlProblem(text) === undefined);
  ajv.addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)));
  ajv.addFormat('uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  return ajv.compile(schema);
}

/** A schema that refuses members which it does not describe: callers must not rely on that, but our documents must. */
export function closed(schema: JsonSchema): JsonSchema {
  const entries = Object.entries(schema).map(([keyword, value]) => [keyword, closedIn(keyword, value)] as const);
  const own = schema.properties && schema.type === 'object' ? { additionalProperties: false } : {};
  return { ...own, ...Object.fromEntries(entries) };
}

function closedIn(keyword: string, value: unknown): unknown {
  if (keyword === 'properties') {
    const members = Object.entries(value as Record<string, JsonSchema>);
    return Object.fromEntries(members.map(([name, member]) => [name, closed(member)]));
  }
  if (keyword === 'items') return closed(value as JsonSchema);
  return keyword === 'anyOf' || keyword === 'oneOf' ? (value as JsonSchema[]).map(closed) : value;
}
