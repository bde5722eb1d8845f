import { ATTACHMENT_TYPES } from '../../core/domain/attachment';
import { ATTACHMENT_ID_PATTERN } from '../../core/domain/identifiers';
import {
  MAX_ACTOR_LENGTH,
  MAX_JSON_DEPTH,
  MAX_KEY_LENGTH,
  MAX_MIME_TYPE_LENGTH,
  MAX_PRIORITY,
  MAX_TASK_ID_LENGTH,
  MAX_TASK_JSON_BYTES,
  MAX_TASK_TEXT_LENGTH,
  MAX_TTL_SECONDS,
  MAX_URL_LENGTH,
} from '../../core/domain/limits';
import { TASK_STATUSES } from '../../core/domain/task';
import { integerFrom, oneOfWords, type JsonSchema } from './json-schema';

// Written with escapes and without `\p`, so that the regular expressions of other languages take them too.
const WITHOUT_CONTROL_CHARACTERS = '^[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*$';
const STORABLE = '^[^\\u0000\\ud800-\\udfff]*$';
const MIME_NAME = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*';

export const TASK_ID: JsonSchema = {
  type: 'string',
  pattern: `^[A-Za-z0-9._~-]{1,${MAX_TASK_ID_LENGTH}}$`,
  description: 'The id of a task.',
};
export const KEY: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: MAX_KEY_LENGTH,
  pattern: WITHOUT_CONTROL_CHARACTERS,
  description: 'The name of the attachment within its task.',
};
export const KEY_PREFIX: JsonSchema = {
  type: 'string',
  maxLength: MAX_KEY_LENGTH,
  pattern: WITHOUT_CONTROL_CHARACTERS,
  description: 'Only keys that begin with it.',
};
export const ACTOR: JsonSchema = { type: 'string', minLength: 1, maxLength: MAX_ACTOR_LENGTH, pattern: STORABLE };
/** In results: the name comes from a credential, a header or a setting. */
export const ACTOR_NAME: JsonSchema = { type: 'string', minLength: 1 };

export const ATTACHMENT_ID: JsonSchema = { type: 'string', pattern: ATTACHMENT_ID_PATTERN };
export const ATTACHMENT_TYPE = oneOfWords(ATTACHMENT_TYPES);
export const JSON_VALUE: JsonSchema = { description: 'Any JSON value.', 'x-maxDepth': MAX_JSON_DEPTH };
export const CONTENT: JsonSchema = { type: 'string', pattern: STORABLE };
export const HTTP_URL: JsonSchema = {
  type: 'string',
  maxLength: MAX_URL_LENGTH,
  format: 'http-url',
  description: 'Absolute, http or https, without credentials. Stored as given, never fetched.',
};
export const MIME_TYPE: JsonSchema = {
  type: 'string',
  maxLength: MAX_MIME_TYPE_LENGTH,
  pattern: `^${MIME_NAME}/${MIME_NAME}$`,
  description: 'A media type without parameters.',
};
export const SIZE: JsonSchema = { ...integerFrom(1), description: 'In bytes, of what the url points to.' };
export const TTL_SECONDS = integerFrom(1, MAX_TTL_SECONDS);
export const VERSION: JsonSchema = { ...integerFrom(1), description: 'Rises with every change of the key.' };

export const TASK_TEXT: JsonSchema = {
  type: 'string',
  minLength: 1,
  maxLength: MAX_TASK_TEXT_LENGTH,
  pattern: STORABLE,
  description: 'What is to be done.',
};
export const TASK_STATUS = oneOfWords(TASK_STATUSES);
export const PRIORITY: JsonSchema = {
  ...integerFrom(0, MAX_PRIORITY),
  description: 'The higher the priority, the sooner.',
};
export const METADATA: JsonSchema = {
  type: 'object',
  'x-maxDepth': MAX_JSON_DEPTH,
  description: `Data of the caller, at most ${MAX_TASK_JSON_BYTES} bytes of JSON text.`,
};

export const TIME: JsonSchema = {
  type: 'string',
  format: 'date-time',
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$',
};
export const DEGRADED: JsonSchema = {
  const: true,
  description: 'Present if PostgreSQL should have been asked and could not be.',
};
export const COUNT = integerFrom(0);
