import type { FastifyReply } from 'fastify';
import type { FieldError } from '../../core/domain/domain-error';
import { taskIdProblem } from '../../core/domain/identifiers';
import { INTERNAL_ERROR, type JsonRpcError } from '../json-rpc/json-rpc-error';

const RETRY_AFTER_SECONDS = 1;

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

export const DELETED: RestReply = { status: 204 };
export const FOREIGN_TASK: RestReply = {
  status: 403,
  detail: 'Forbidden: task belongs to a different organization',
};
export const MALFORMED_ID: RestReply = {
  status: 422,
  detail: [validationError({ message: taskIdProblem(undefined) as string })],
};
export const UNAVAILABLE: RestReply = {
  status: 503,
  detail: 'Service unavailable',
  headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
};
export const STOPPING: RestReply = { ...UNAVAILABLE, headers: { ...UNAVAILABLE.headers, connection: 'close' } };

/** What REST says where a method whose only parameter is the task's id says `error`. */
export function restRefusal(error: JsonRpcError): RestReply {
  switch (error.data?.['code']) {
    case 'UNAUTHORIZED':
      return {
        status: 401,
        detail: 'Invalid or missing API key',
        headers: { 'www-authenticate': 'ApiKey realm="dossier", Bearer realm="dossier"' },
      };
    case 'FORBIDDEN':
      return { status: 403, detail: 'Forbidden: role may not delete tasks' };
    case 'RATE_LIMITED':
      return { status: 429, detail: 'Rate limit exceeded' };
    case 'TASK_NOT_FOUND':
      return { status: 404, detail: 'Task not found' };
    case 'INVALID_PARAMS':
      return { status: 422, detail: (error.data['errors'] as FieldError[]).map(validationError) };
  }
  return error.code === INTERNAL_ERROR ? { status: 500, detail: 'Internal server error' } : UNAVAILABLE;
}

export function sendRest(reply: FastifyReply, { status, detail, headers = {} }: RestReply): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .send(detail === undefined ? undefined : { detail });
}

function validationError({ message }: Pick<FieldError, 'message'>): ValidationError {
  return { loc: ['path', 'task_id'], msg: message, type: 'value_error' };
}
