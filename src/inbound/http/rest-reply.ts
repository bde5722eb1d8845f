import type { FastifyReply } from 'fastify';
import type { FieldError } from '../../core/domain/domain-error';
import type { ErrorWord, JsonRpcError } from '../json-rpc/json-rpc-error';
import { CHALLENGE, RETRY_AFTER_SECONDS } from './http-refusal';

/** Without `detail` there is no body. */
export interface RestReply {
  readonly status: number;
  readonly detail?: string | readonly ValidationError[];
  readonly headers?: Readonly<Record<string, string>>;
}

interface ValidationError {
  readonly loc: readonly string[];
  readonly msg: string;
  readonly type: string;
}

/** What differs between the endpoints in how they refuse. */
export interface RestEndpoint {
  /** Names the endpoint in the tables of roles and rate limits. */
  readonly name: string;
  readonly action: string;
  readonly invalidStatus: 400 | 422;
  /** Where a wrong parameter stands in the request. */
  readonly locationOf: (field: string) => readonly string[];
}

export const TASK_DELETION: RestEndpoint = {
  name: 'task.delete',
  action: 'delete tasks',
  invalidStatus: 422,
  locationOf: () => ['path', 'task_id'],
};

export const EVENTS: RestEndpoint = {
  name: 'events',
  action: 'follow events',
  invalidStatus: 400,
  locationOf: (field) => ['query', field],
};

const NOT_ALLOWED: RestReply = { status: 405, detail: 'Method not allowed' };
const CONFLICT: RestReply = { status: 409, detail: 'Conflict' };
const INTERNAL_ERROR: RestReply = { status: 500, detail: 'Internal server error' };
const UNAVAILABLE: RestReply = {
  status: 503,
  detail: 'Service unavailable',
  headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
};

/** Exhaustive: a word without a row does not compile. The replies for the two excluded words depend on the endpoint. */
const REPLIES: Record<Exclude<ErrorWord, 'INVALID_PARAMS' | 'FORBIDDEN'>, RestReply> = {
  UNAUTHORIZED: { status: 401, detail: 'Invalid or missing API key', headers: CHALLENGE },
  KEY_SET_UNAVAILABLE: UNAVAILABLE,
  RATE_LIMITED: { status: 429, detail: 'Rate limit exceeded' },
  TASK_NOT_FOUND: { status: 404, detail: 'Task not found' },
  ATTACHMENT_NOT_FOUND: { status: 404, detail: 'Attachment not found' },
  TASK_EXISTS: CONFLICT,
  TASK_FINISHED: CONFLICT,
  VERSION_CONFLICT: CONFLICT,
  QUOTA_EXCEEDED: { status: 403, detail: 'Quota exceeded' },
  METHOD_NOT_ALLOWED: NOT_ALLOWED,
  INVALID_REQUEST: { status: 400, detail: 'Invalid request' },
  BATCH_TOO_LONG: { status: 413, detail: 'Batch too long' },
  BODY_TOO_LARGE: { status: 413, detail: 'Body too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, detail: 'Unsupported media type' },
  REPLY_TOO_LARGE: INTERNAL_ERROR,
  INTERNAL_ERROR,
  STORE_UNAVAILABLE: UNAVAILABLE,
  STORE_FAILED: UNAVAILABLE,
  TIMEOUT: UNAVAILABLE,
  ORIGIN_NOT_ALLOWED: { status: 403, detail: 'Forbidden' },
  OVERLOADED: UNAVAILABLE,
  SHUTTING_DOWN: { ...UNAVAILABLE, headers: { ...UNAVAILABLE.headers, connection: 'close' } },
};

/** The reply for an error of a method or a guard. An error without a word belongs to JSON-RPC alone, and is a fault. */
export function restRefusal({ data }: JsonRpcError, endpoint: RestEndpoint): RestReply {
  if (data === undefined) return INTERNAL_ERROR;
  if (data.code === 'INVALID_PARAMS') return invalidRequest(endpoint, data.errors);
  if (data.code === 'FORBIDDEN') return { status: 403, detail: `Forbidden: role may not ${endpoint.action}` };
  return REPLIES[data.code];
}

export function invalidRequest(endpoint: RestEndpoint, errors: readonly FieldError[]): RestReply {
  const { invalidStatus: status, locationOf } = endpoint;
  return {
    status,
    detail: errors.map(({ field, message }) => ({ loc: locationOf(field), msg: message, type: 'value_error' })),
  };
}

export function sendRest(reply: FastifyReply, { status, detail, headers = {} }: RestReply): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .send(detail === undefined ? undefined : { detail });
}
