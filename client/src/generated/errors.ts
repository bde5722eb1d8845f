// Generated from the description of the service: `npm run docs:api` writes this file.
import { RpcError } from '../rpc-error.ts';

export interface FieldError {
  /** The path of the parameter, such as `updates.priority` or `requests[3].taskId`. */
  readonly field: string;
  /** What is allowed, and what was given. */
  readonly message: string;
}

/** `data` of each error, by the word in `data.code`. */
export interface ErrorData {
  readonly INVALID_PARAMS: {
    readonly code: 'INVALID_PARAMS';
    readonly errors: readonly FieldError[];
  };
  readonly TASK_NOT_FOUND: {
    readonly code: 'TASK_NOT_FOUND';
    /** The id of a task. */
    readonly taskId: string;
  };
  readonly ATTACHMENT_NOT_FOUND: {
    readonly code: 'ATTACHMENT_NOT_FOUND';
    /** The id of a task. */
    readonly taskId: string;
    /** The name of the attachment within its task. */
    readonly key: string;
  };
  readonly TASK_FINISHED: {
    readonly code: 'TASK_FINISHED';
    /** The id of a task. */
    readonly taskId: string;
    readonly status: 'pending' | 'in_progress' | 'completed' | 'failed' | 'cancelled';
    readonly completedBy?: string;
    readonly completedAt?: string;
    readonly cancelledBy?: string;
    readonly cancelledAt?: string;
  };
  readonly TASK_EXISTS: {
    readonly code: 'TASK_EXISTS';
    /** The id of a task. */
    readonly taskId: string;
    readonly reason: string;
  };
  readonly VERSION_CONFLICT: {
    readonly code: 'VERSION_CONFLICT';
    /** The id of a task. */
    readonly taskId: string;
    /** The name of the attachment within its task. */
    readonly key: string;
    /** Null if nothing is there. */
    readonly currentVersion: number | null;
  };
  readonly QUOTA_EXCEEDED: {
    readonly code: 'QUOTA_EXCEEDED';
    /** Which one. */
    readonly quota: 'attachments' | 'bytes';
    readonly limit: number;
    /** What the organisation has, without this call. */
    readonly use: number;
  };
  readonly RATE_LIMITED: {
    readonly code: 'RATE_LIMITED';
    readonly limit: number;
    readonly windowMs: number;
    readonly retryAfterMs: number;
  };
  readonly UNAUTHORIZED: {
    readonly code: 'UNAUTHORIZED';
  };
  readonly FORBIDDEN: {
    readonly code: 'FORBIDDEN';
    readonly neededRole: 'read' | 'write' | 'admin';
  };
  readonly ORIGIN_NOT_ALLOWED: {
    readonly code: 'ORIGIN_NOT_ALLOWED';
    readonly reason: string;
  };
  readonly STORE_UNAVAILABLE: {
    readonly code: 'STORE_UNAVAILABLE';
    readonly reason: string;
    readonly retryable: true;
  };
  readonly OVERLOADED: {
    readonly code: 'OVERLOADED';
    readonly reason: string;
    readonly retryable: true;
  };
  readonly SHUTTING_DOWN: {
    readonly code: 'SHUTTING_DOWN';
    readonly reason: string;
    readonly retryable: true;
  };
  readonly KEY_SET_UNAVAILABLE: {
    readonly code: 'KEY_SET_UNAVAILABLE';
    readonly reason: string;
    readonly retryable: true;
  };
  readonly STORE_FAILED: {
    readonly code: 'STORE_FAILED';
    readonly reason: string;
    /** The id of a task. */
    readonly taskId?: string;
  };
  readonly TIMEOUT: {
    readonly code: 'TIMEOUT';
    readonly reason: string;
    /** The id of a task. */
    readonly taskId?: string;
  };
  readonly INTERNAL_ERROR: {
    readonly code: 'INTERNAL_ERROR';
  };
  readonly REPLY_TOO_LARGE: {
    readonly code: 'REPLY_TOO_LARGE';
    readonly reason: string;
    readonly maxReplyBytes?: number;
    readonly maxPayloadBytes?: number;
  };
  readonly INVALID_REQUEST: {
    readonly code: 'INVALID_REQUEST';
    readonly reason: string;
  };
  readonly BATCH_TOO_LONG: {
    readonly code: 'BATCH_TOO_LONG';
    readonly reason: string;
    readonly maxCalls: number;
  };
  readonly BODY_TOO_LARGE: {
    readonly code: 'BODY_TOO_LARGE';
    readonly reason: string;
    readonly maxBodyBytes: number;
  };
  readonly UNSUPPORTED_MEDIA_TYPE: {
    readonly code: 'UNSUPPORTED_MEDIA_TYPE';
    readonly reason: string;
  };
  readonly METHOD_NOT_ALLOWED: {
    readonly code: 'METHOD_NOT_ALLOWED';
    readonly reason: string;
  };
}

export type ErrorWord = keyof ErrorData;

/** -32602: Parameters are wrong, missing or unknown: `errors` names every wrong one. */
export class InvalidParamsError extends RpcError<ErrorData['INVALID_PARAMS']> {
  override readonly name = 'InvalidParamsError';
}

/** -32602: The task does not exist, is deleted, or belongs to another organisation. */
export class TaskNotFoundError extends RpcError<ErrorData['TASK_NOT_FOUND']> {
  override readonly name = 'TaskNotFoundError';
}

/** -32602: The attachment does not exist, is deleted, or has expired. */
export class AttachmentNotFoundError extends RpcError<ErrorData['ATTACHMENT_NOT_FOUND']> {
  override readonly name = 'AttachmentNotFoundError';
}

/** -32602: The call would change the status of a finished task. */
export class TaskFinishedError extends RpcError<ErrorData['TASK_FINISHED']> {
  override readonly name = 'TaskFinishedError';
}

/** -32005: The id was used before, with other parameters or for a task that is deleted. */
export class TaskExistsError extends RpcError<ErrorData['TASK_EXISTS']> {
  override readonly name = 'TaskExistsError';
}

/** -32005: The condition `ifVersion` or `ifAbsent` does not hold. */
export class VersionConflictError extends RpcError<ErrorData['VERSION_CONFLICT']> {
  override readonly name = 'VersionConflictError';
}

/** -32602: The organisation would have more attachments, or more bytes in them, than the operator allows. */
export class QuotaExceededError extends RpcError<ErrorData['QUOTA_EXCEEDED']> {
  override readonly name = 'QuotaExceededError';
}

/** -32000: The caller has used up its calls of this method in this window. */
export class RateLimitedError extends RpcError<ErrorData['RATE_LIMITED']> {
  override readonly name = 'RateLimitedError';
}

/** -32002: The credential is missing, wrong or expired. */
export class UnauthorizedError extends RpcError<ErrorData['UNAUTHORIZED']> {
  override readonly name = 'UnauthorizedError';
}

/** -32004: The role of the caller does not allow the method. */
export class ForbiddenError extends RpcError<ErrorData['FORBIDDEN']> {
  override readonly name = 'ForbiddenError';
}

/** -32004: A web page of an origin that is not allowed calls, or the `Host` is not loopback. */
export class OriginNotAllowedError extends RpcError<ErrorData['ORIGIN_NOT_ALLOWED']> {
  override readonly name = 'OriginNotAllowedError';
}

/** -32001: No store that can answer is available. */
export class StoreUnavailableError extends RpcError<ErrorData['STORE_UNAVAILABLE']> {
  override readonly name = 'StoreUnavailableError';
}

/** -32001: The replica, or the share of the caller, has more to do than it can. */
export class OverloadedError extends RpcError<ErrorData['OVERLOADED']> {
  override readonly name = 'OverloadedError';
}

/** -32001: The replica stops; another one takes the call. */
export class ShuttingDownError extends RpcError<ErrorData['SHUTTING_DOWN']> {
  override readonly name = 'ShuttingDownError';
}

/** -32001: The keys that check access tokens cannot be fetched. */
export class KeySetUnavailableError extends RpcError<ErrorData['KEY_SET_UNAVAILABLE']> {
  override readonly name = 'KeySetUnavailableError';
}

/** -32500: A store refused or failed. A write may have taken effect. */
export class StoreFailedError extends RpcError<ErrorData['STORE_FAILED']> {
  override readonly name = 'StoreFailedError';
}

/** -32500: The five seconds of the call are over. A write may have taken effect. */
export class TimeoutError extends RpcError<ErrorData['TIMEOUT']> {
  override readonly name = 'TimeoutError';
}

/** -32603: The service has a fault; its log says which. */
export class InternalError extends RpcError<ErrorData['INTERNAL_ERROR']> {
  override readonly name = 'InternalError';
}

/** -32603: One reply cannot carry the result: ask for less. */
export class ReplyTooLargeError extends RpcError<ErrorData['REPLY_TOO_LARGE']> {
  override readonly name = 'ReplyTooLargeError';
}

/** -32600: The message is no request of JSON-RPC 2.0. */
export class InvalidRequestError extends RpcError<ErrorData['INVALID_REQUEST']> {
  override readonly name = 'InvalidRequestError';
}

/** -32600: The batch has too many calls: none of them runs. */
export class BatchTooLongError extends RpcError<ErrorData['BATCH_TOO_LONG']> {
  override readonly name = 'BatchTooLongError';
}

/** -32600: The message has too many bytes. */
export class BodyTooLargeError extends RpcError<ErrorData['BODY_TOO_LARGE']> {
  override readonly name = 'BodyTooLargeError';
}

/** -32600: The content type is not JSON, or the body is compressed. */
export class UnsupportedMediaTypeError extends RpcError<ErrorData['UNSUPPORTED_MEDIA_TYPE']> {
  override readonly name = 'UnsupportedMediaTypeError';
}

/** -32600: The HTTP method is not POST. */
export class MethodNotAllowedError extends RpcError<ErrorData['METHOD_NOT_ALLOWED']> {
  override readonly name = 'MethodNotAllowedError';
}

export const ERROR_CLASSES = {
  INVALID_PARAMS: InvalidParamsError,
  TASK_NOT_FOUND: TaskNotFoundError,
  ATTACHMENT_NOT_FOUND: AttachmentNotFoundError,
  TASK_FINISHED: TaskFinishedError,
  TASK_EXISTS: TaskExistsError,
  VERSION_CONFLICT: VersionConflictError,
  QUOTA_EXCEEDED: QuotaExceededError,
  RATE_LIMITED: RateLimitedError,
  UNAUTHORIZED: UnauthorizedError,
  FORBIDDEN: ForbiddenError,
  ORIGIN_NOT_ALLOWED: OriginNotAllowedError,
  STORE_UNAVAILABLE: StoreUnavailableError,
  OVERLOADED: OverloadedError,
  SHUTTING_DOWN: ShuttingDownError,
  KEY_SET_UNAVAILABLE: KeySetUnavailableError,
  STORE_FAILED: StoreFailedError,
  TIMEOUT: TimeoutError,
  INTERNAL_ERROR: InternalError,
  REPLY_TOO_LARGE: ReplyTooLargeError,
  INVALID_REQUEST: InvalidRequestError,
  BATCH_TOO_LONG: BatchTooLongError,
  BODY_TOO_LARGE: BodyTooLargeError,
  UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaTypeError,
  METHOD_NOT_ALLOWED: MethodNotAllowedError,
} as const satisfies Record<ErrorWord, unknown>;

/** After these the same call may succeed later. */
export const RETRYABLE_ERRORS: readonly ErrorWord[] = [
  'RATE_LIMITED',
  'STORE_UNAVAILABLE',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'KEY_SET_UNAVAILABLE',
  'STORE_FAILED',
  'TIMEOUT',
];

export function isErrorWord(word: unknown): word is ErrorWord {
  return typeof word === 'string' && Object.hasOwn(ERROR_CLASSES, word);
}
