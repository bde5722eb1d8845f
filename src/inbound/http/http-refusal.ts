import type { IncomingHttpHeaders } from 'node:http';
import {
  bodyTooLarge,
  FORBIDDEN,
  invalidRequest,
  JsonRpcError,
  overloaded,
  parseError,
  serviceUnavailable,
  UNAUTHORIZED,
} from '../json-rpc/json-rpc-error';
import { isJsonMediaType } from './media-type';
import type { BodyError } from './read-body';

export const RETRY_AFTER_SECONDS = 1;

/** How a caller can prove its identity. */
export const CHALLENGE = { 'www-authenticate': 'ApiKey realm="dossier", Bearer realm="dossier"' };

/** A refusal before any call is read: an HTTP status, and a JSON-RPC error for clients that read only bodies. */
export interface HttpRefusal {
  readonly status: number;
  readonly error: JsonRpcError;
  readonly headers?: Readonly<Record<string, string>>;
}

export const METHOD_NOT_ALLOWED: HttpRefusal = {
  status: 405,
  error: invalidRequest({ code: 'METHOD_NOT_ALLOWED', reason: 'the HTTP method must be POST' }),
  headers: { allow: 'POST' },
};

export const SHUTTING_DOWN: HttpRefusal = {
  status: 503,
  error: serviceUnavailable('SHUTTING_DOWN', 'Shutting down'),
  headers: { connection: 'close', 'retry-after': String(RETRY_AFTER_SECONDS) },
};

export const OVERLOADED: HttpRefusal = {
  status: 503,
  error: overloaded(),
  headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
};

const UNSUPPORTED_MEDIA_TYPE: HttpRefusal = {
  status: 415,
  error: invalidRequest({
    code: 'UNSUPPORTED_MEDIA_TYPE',
    reason: 'content-type must be application/json, and the body must not be compressed',
  }),
};

const BODY_IN_PIECES: HttpRefusal = {
  status: 400,
  error: invalidRequest({
    code: 'INVALID_REQUEST',
    reason: 'the body comes in too many parts of a few bytes: send larger ones',
  }),
};

const BROKEN_BODY: HttpRefusal = { status: 400, error: parseError(), headers: { connection: 'close' } };

/** For a caller that has proved nothing, if its message is not read. */
export function refusalOfUnproven(failure: JsonRpcError): HttpRefusal {
  return failure.code === UNAUTHORIZED
    ? { status: 401, error: failure, headers: CHALLENGE }
    : { status: 503, error: failure, headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } };
}

/** Undefined if the body may be read. */
export function refusalOfHeaders(headers: IncomingHttpHeaders): HttpRefusal | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  return isJsonMediaType(headers['content-type']) && encoding.toLowerCase() === 'identity'
    ? undefined
    : UNSUPPORTED_MEDIA_TYPE;
}

/** For a body that could not be read to its end: it is too large, comes in too many parts, or is cut off. */
export function refusalOfBody(problem: BodyError['problem'], maxBodyBytes: number): HttpRefusal {
  if (problem === 'broken off') return BROKEN_BODY;
  if (problem === 'in pieces') return BODY_IN_PIECES;
  return { status: 413, error: bodyTooLarge(maxBodyBytes) };
}

/** Of a web page, or of a program that speaks to another name. */
export function forbiddenOrigin(reason: string): HttpRefusal {
  return { status: 403, error: new JsonRpcError(FORBIDDEN, 'Forbidden', { code: 'ORIGIN_NOT_ALLOWED', reason }) };
}

export const TWO_HOSTS: HttpRefusal = {
  status: 400,
  error: invalidRequest({ code: 'ORIGIN_NOT_ALLOWED', reason: 'two Host headers' }),
};

/** Longer than any that a request needs: an id of 255 characters, spelt in escapes, takes half of it. */
export const MAX_URL_LENGTH = 4096;

export const LONG_URL: HttpRefusal = {
  status: 414,
  error: invalidRequest({ code: 'INVALID_REQUEST', reason: `the URL is longer than ${MAX_URL_LENGTH} characters` }),
};

export const NO_HOST: HttpRefusal = {
  status: 400,
  error: invalidRequest({ code: 'ORIGIN_NOT_ALLOWED', reason: 'no Host header' }),
};
