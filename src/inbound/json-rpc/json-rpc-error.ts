import type { LoggerService } from '@nestjs/common';

/** An error as JSON-RPC 2.0 prints it. `data.code` is a word for machines that never changes; `data` is never secret. */
export class JsonRpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly data?: Readonly<Record<string, unknown>>,
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

/** Without data, so that the specification's examples are answered to the letter. */
export function parseError(): JsonRpcError {
  return new JsonRpcError(PARSE_ERROR, 'Parse error');
}

export function invalidRequest(data?: Readonly<Record<string, unknown>>): JsonRpcError {
  return new JsonRpcError(INVALID_REQUEST, 'Invalid Request', data);
}

export function methodNotFound(): JsonRpcError {
  return new JsonRpcError(METHOD_NOT_FOUND, 'Method not found');
}

/** `code` is the word for machines, `reason` the one for people. */
export function serviceUnavailable(code: string, reason: string): JsonRpcError {
  return new JsonRpcError(SERVICE_UNAVAILABLE, 'Service unavailable', { code, reason, retryable: true });
}

/** For a process that has as much to do as it can do in time; another one may have less. */
export function overloaded(): JsonRpcError {
  return serviceUnavailable('OVERLOADED', 'Overloaded');
}

/** What was asked for is more than one reply can carry. */
export function replyTooLarge(data?: Readonly<Record<string, unknown>>): JsonRpcError {
  return new JsonRpcError(INTERNAL_ERROR, 'Internal error', { code: 'REPLY_TOO_LARGE', ...data });
}

/** Logs an error that nobody has foreseen; its caller learns nothing of it. */
export function unexpected(error: unknown, logger: LoggerService): JsonRpcError {
  if (error instanceof Error) logger.error(error.message, error.stack);
  else logger.error('something was thrown that is no error');
  return new JsonRpcError(INTERNAL_ERROR, 'Internal error', { code: 'INTERNAL_ERROR' });
}
