import type { LoggerService } from '@nestjs/common';
import type { FieldError } from '../../core/domain/domain-error';
import type { CallIds } from '../correlation/call-ids';
import { TracelessError } from '../correlation/traceless-error';

/** Tells machines what went wrong, in the same words on every transport. A word never changes its meaning. */
export type ErrorWord =
  | 'ATTACHMENT_NOT_FOUND'
  | 'BATCH_TOO_LONG'
  | 'BODY_TOO_LARGE'
  | 'FORBIDDEN'
  | 'INTERNAL_ERROR'
  | 'INVALID_PARAMS'
  | 'INVALID_REQUEST'
  | 'KEY_SET_UNAVAILABLE'
  | 'METHOD_NOT_ALLOWED'
  | 'ORIGIN_NOT_ALLOWED'
  | 'OVERLOADED'
  | 'QUOTA_EXCEEDED'
  | 'RATE_LIMITED'
  | 'REPLY_TOO_LARGE'
  | 'SHUTTING_DOWN'
  | 'STORE_FAILED'
  | 'STORE_UNAVAILABLE'
  | 'TASK_EXISTS'
  | 'TASK_FINISHED'
  | 'TASK_NOT_FOUND'
  | 'TIMEOUT'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'VERSION_CONFLICT';

/** What `data` holds: the word, and facts that the caller may know. */
export type ErrorData =
  | { readonly code: 'INVALID_PARAMS'; readonly errors: readonly FieldError[] }
  | { readonly code: Exclude<ErrorWord, 'INVALID_PARAMS'>; readonly [fact: string]: unknown };

/** An error as JSON-RPC 2.0 prints it. */
export class JsonRpcError extends TracelessError {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: ErrorData,
  ) {
    super(message);
    this.name = 'JsonRpcError';
  }
}

export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
export const METHOD_FAILED = -32500;
export const RATE_LIMITED = -32000;
export const SERVICE_UNAVAILABLE = -32001;
export const UNAUTHORIZED = -32002;
export const FORBIDDEN = -32004;
export const CONFLICT = -32005;

/** Without data, as the specification prints it. */
export function parseError(): JsonRpcError {
  return new JsonRpcError(PARSE_ERROR, 'Parse error');
}

/** `data` has a `reason`, unless the specification prints the reply: then there is no `data`. */
export function invalidRequest(data?: ErrorData & { readonly reason: string }): JsonRpcError {
  return new JsonRpcError(INVALID_REQUEST, 'Invalid Request', data);
}

export function bodyTooLarge(maxBodyBytes: number): JsonRpcError {
  const reason = `the body has more than ${maxBodyBytes} bytes`;
  return invalidRequest({ code: 'BODY_TOO_LARGE', maxBodyBytes, reason });
}

export function methodNotFound(): JsonRpcError {
  return new JsonRpcError(METHOD_NOT_FOUND, 'Method not found');
}

/** `reason` is for people, as `code` is for machines. */
export function serviceUnavailable(
  code: 'KEY_SET_UNAVAILABLE' | 'OVERLOADED' | 'SHUTTING_DOWN' | 'STORE_UNAVAILABLE',
  reason: string,
): JsonRpcError {
  return new JsonRpcError(SERVICE_UNAVAILABLE, 'Service unavailable', { code, reason, retryable: true });
}

/** This process has as much to do as it can do in time; another replica may have less. */
export function overloaded(): JsonRpcError {
  return serviceUnavailable('OVERLOADED', 'Overloaded');
}

/** The caller asked for more than one reply may carry; the limit is a fact, under the name of what sets it. */
export function replyTooLarge(limit: { maxReplyBytes: number } | { maxPayloadBytes: number }): JsonRpcError {
  const reason = 'ask for less: a smaller limit, includeBodies: false, fewer requests, or fewer calls in a batch';
  return new JsonRpcError(INTERNAL_ERROR, 'Internal error', { code: 'REPLY_TOO_LARGE', ...limit, reason });
}

/** Logs an error that the code does not foresee; the caller learns nothing of it. `ids` are those of the call. */
export function unexpected(error: unknown, logger: LoggerService, ids?: CallIds): JsonRpcError {
  if (error instanceof Error) logger.error(error.message, error.stack, ids);
  else logger.error('a value that is no error was thrown', undefined, ids);
  return new JsonRpcError(INTERNAL_ERROR, 'Internal error', { code: 'INTERNAL_ERROR' });
}
