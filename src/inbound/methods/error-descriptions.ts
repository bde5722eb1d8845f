import {
  CONFLICT,
  FORBIDDEN,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  INVALID_REQUEST,
  METHOD_FAILED,
  RATE_LIMITED,
  SERVICE_UNAVAILABLE,
  UNAUTHORIZED,
  type ErrorWord,
} from '../json-rpc/json-rpc-error';
import { QUOTA_KINDS } from '../../core/domain/quota';
import { ROLES } from '../auth/credential';
import { COUNT, KEY, TASK_ID, TASK_STATUS, TIME, VERSION } from './wire-schemas';
import { integerFrom, objectOf, oneOfWords, orNull, type JsonSchema, type ObjectSchema } from './json-schema';

/** One of the errors that a method may return. */
export interface ErrorDescription {
  /** `data.code`: what clients tell errors apart by. */
  readonly name: ErrorWord;
  readonly code: number;
  /** `{taskId}`, `{key}` and `{status}` stand for the members of `data`. */
  readonly message: string;
  readonly when: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly data: ObjectSchema;
}

type Row = Omit<ErrorDescription, 'name' | 'data'> & {
  readonly facts?: Readonly<Record<string, JsonSchema>>;
  readonly optionalFacts?: Readonly<Record<string, JsonSchema>>;
};

const TEXT: JsonSchema = { type: 'string' };
const FIELD_ERROR = objectOf('FieldError', {
  field: { ...TEXT, description: 'The path of the parameter, such as `updates.priority` or `requests[3].taskId`.' },
  message: { ...TEXT, description: 'What is allowed, and what was given.' },
});
const SERVICE_DOWN = {
  code: SERVICE_UNAVAILABLE,
  message: 'Service unavailable',
  retryable: true,
  facts: { reason: TEXT, retryable: { const: true } },
};
const STORE_FAILURE = {
  code: METHOD_FAILED,
  message: 'Failed',
  retryable: true,
  facts: { reason: TEXT },
  optionalFacts: { taskId: TASK_ID },
};

/** Exhaustive: a word without a row does not compile. */
const ROWS: Readonly<Record<ErrorWord, Row>> = {
  INVALID_PARAMS: {
    code: INVALID_PARAMS,
    message: 'Invalid params',
    when: 'Parameters are wrong, missing or unknown: `errors` names every wrong one.',
    retryable: false,
    facts: { errors: { type: 'array', items: FIELD_ERROR, minItems: 1 } },
  },
  TASK_NOT_FOUND: {
    code: INVALID_PARAMS,
    message: 'Task {taskId} not found',
    when: 'The task does not exist, is deleted, or belongs to another organisation.',
    retryable: false,
    facts: { taskId: TASK_ID },
  },
  ATTACHMENT_NOT_FOUND: {
    code: INVALID_PARAMS,
    message: "Attachment with key '{key}' not found for task {taskId}",
    when: 'The attachment does not exist, is deleted, or has expired.',
    retryable: false,
    facts: { taskId: TASK_ID, key: KEY },
  },
  TASK_FINISHED: {
    code: INVALID_PARAMS,
    message: 'Task {taskId} is already {status}',
    when: 'The call would change the status of a finished task.',
    retryable: false,
    facts: { taskId: TASK_ID, status: TASK_STATUS },
    optionalFacts: { completedBy: TEXT, completedAt: TIME, cancelledBy: TEXT, cancelledAt: TIME },
  },
  TASK_EXISTS: {
    code: CONFLICT,
    message: 'Conflict',
    when: 'The id was used before, with other parameters or for a task that is deleted.',
    retryable: false,
    facts: { taskId: TASK_ID, reason: TEXT },
  },
  VERSION_CONFLICT: {
    code: CONFLICT,
    message: 'Conflict',
    when: 'The condition `ifVersion` or `ifAbsent` does not hold.',
    retryable: false,
    facts: {
      taskId: TASK_ID,
      key: KEY,
      currentVersion: { ...orNull(VERSION), description: 'Null if nothing is there.' },
    },
  },
  QUOTA_EXCEEDED: {
    code: INVALID_PARAMS,
    message: 'Quota exceeded',
    when: 'The organisation would have more attachments, or more bytes in them, than the operator allows.',
    retryable: false,
    facts: {
      quota: { ...oneOfWords(QUOTA_KINDS), description: 'Which one.' },
      limit: COUNT,
      use: { ...COUNT, description: 'What the organisation has, without this call.' },
    },
  },
  RATE_LIMITED: {
    code: RATE_LIMITED,
    message: 'Rate limit exceeded',
    when: 'The caller has used up its calls of this method in this window.',
    retryable: true,
    facts: { limit: COUNT, windowMs: COUNT, retryAfterMs: COUNT },
  },
  UNAUTHORIZED: {
    code: UNAUTHORIZED,
    message: 'Unauthorized',
    when: 'The credential is missing, wrong or expired.',
    retryable: false,
  },
  FORBIDDEN: {
    code: FORBIDDEN,
    message: 'Forbidden',
    when: 'The role of the caller does not allow the method.',
    retryable: false,
    facts: { neededRole: oneOfWords(ROLES) },
  },
  ORIGIN_NOT_ALLOWED: {
    code: FORBIDDEN,
    message: 'Forbidden',
    when: 'A web page of an origin that is not allowed calls, or the `Host` is not loopback.',
    retryable: false,
    facts: { reason: TEXT },
  },
  STORE_UNAVAILABLE: { ...SERVICE_DOWN, when: 'No store that can answer is available.' },
  OVERLOADED: { ...SERVICE_DOWN, when: 'The replica, or the share of the caller, has more to do than it can.' },
  SHUTTING_DOWN: { ...SERVICE_DOWN, when: 'The replica stops; another one takes the call.' },
  KEY_SET_UNAVAILABLE: { ...SERVICE_DOWN, when: 'The keys that check access tokens cannot be fetched.' },
  STORE_FAILED: { ...STORE_FAILURE, when: 'A store refused or failed. A write may have taken effect.' },
  TIMEOUT: { ...STORE_FAILURE, when: 'The five seconds of the call are over. A write may have taken effect.' },
  INTERNAL_ERROR: {
    code: INTERNAL_ERROR,
    message: 'Internal error',
    when: 'The service has a fault; its log says which.',
    retryable: false,
  },
  REPLY_TOO_LARGE: {
    code: INTERNAL_ERROR,
    message: 'Internal error',
    when: 'One reply cannot carry the result: ask for less.',
    retryable: false,
    facts: { reason: TEXT },
    optionalFacts: { maxReplyBytes: COUNT, maxPayloadBytes: COUNT },
  },
  INVALID_REQUEST: invalidRequest('The message is no request of JSON-RPC 2.0.'),
  BATCH_TOO_LONG: invalidRequest('The batch has too many calls: none of them runs.', { maxCalls: integerFrom(1) }),
  BODY_TOO_LARGE: invalidRequest('The message has too many bytes.', { maxBodyBytes: integerFrom(1) }),
  UNSUPPORTED_MEDIA_TYPE: invalidRequest('The content type is not JSON, or the body is compressed.'),
  METHOD_NOT_ALLOWED: invalidRequest('The HTTP method is not POST.'),
};

function invalidRequest(when: string, facts: Row['facts'] = {}): Row {
  return {
    code: INVALID_REQUEST,
    message: 'Invalid Request',
    when,
    retryable: false,
    facts: { reason: TEXT, ...facts },
  };
}

/** What is returned by every method, besides the errors of its own. */
const COMMON: readonly ErrorWord[] = [
  'INVALID_PARAMS',
  'RATE_LIMITED',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'STORE_UNAVAILABLE',
  'STORE_FAILED',
  'TIMEOUT',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'KEY_SET_UNAVAILABLE',
  'REPLY_TOO_LARGE',
  'INTERNAL_ERROR',
];

export const ERROR_WORDS = Object.keys(ROWS) as readonly ErrorWord[];

export function isErrorWord(word: unknown): word is ErrorWord {
  return typeof word === 'string' && Object.hasOwn(ROWS, word);
}

/** The messages that a method has of its own. */
export type ErrorMessages = Partial<Record<ErrorWord, string>>;

export function errorMessage(name: ErrorWord, messages: ErrorMessages = {}): string {
  return messages[name] ?? ROWS[name].message;
}

export function describeError(name: ErrorWord, messages: ErrorMessages = {}): ErrorDescription {
  const { facts, optionalFacts, ...row } = ROWS[name];
  const data = objectOf(undefined, { code: { const: name }, ...facts }, optionalFacts);
  return { name, ...row, message: errorMessage(name, messages), data };
}

/** All errors of a method that returns `own` ones. */
export function describeErrors(own: readonly ErrorWord[], messages: ErrorMessages): readonly ErrorDescription[] {
  return [...own, ...COMMON].map((name) => describeError(name, messages));
}
