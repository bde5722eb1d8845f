import type { JsonSchema } from '../methods/json-schema';

export const TEXT: JsonSchema = { type: 'string' };

export const RETRY_AFTER = { 'Retry-After': { description: 'In seconds.', schema: { type: 'integer' } } };

export function json(schema: object): object {
  return { content: { 'application/json': { schema } } };
}
