import { ConnectionError, ResponseError, type DossierError } from './dossier-error.ts';
import { ERROR_CLASSES, isErrorWord, RETRYABLE_ERRORS } from './generated/errors.ts';
import type { Json } from './json.ts';
import { RpcError } from './rpc-error.ts';

/** A call as it is sent. */
export interface WireCall {
  readonly jsonrpc: '2.0';
  /** Not used twice by one client. */
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

/** What has come of one call. */
export type Answer =
  | { readonly result: unknown }
  /** `retryAfterMs` is what the service asks for, if it does. */
  | { readonly error: DossierError; readonly retryAfterMs?: number };

/** Returns the answers in the order of the calls, and throws only if `signal` aborts. */
export interface Transport {
  send(calls: readonly WireCall[], signal: AbortSignal): Promise<readonly Answer[]>;
}

interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: object;
}

interface WireReply {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: WireError;
}

/** Over NATS. */
const NO_STATUS = 0;

/** Service unavailable, and a store that has failed or was too slow. */
const PASSING_CODES = [-32001, -32500];

/**
 * The answers in the text of a message. An error that belongs to no call, such as a body that is too large, is that of
 * all. `status` is that of HTTP.
 */
export function answersIn(text: string, calls: readonly WireCall[], json: Json, status = NO_STATUS): readonly Answer[] {
  const message = parsed(text, json);
  const replies = (Array.isArray(message) ? message : [message]) as readonly WireReply[];
  const common = replies.find((reply) => isReply(reply) && reply.error !== undefined && reply.id === null);
  return calls.map(({ id }) => {
    const reply = replies.find((one) => isReply(one) && one.id === id) ?? common;
    if (!reply) return { error: new ResponseError(status, `${statusText(status)}no JSON-RPC reply to the call`) };
    return reply.error === undefined ? { result: reply.result } : { error: errorOf(reply.error) };
  });
}

/** What is worth another attempt, if the call is safe to repeat. A caller over its rate must wait for longer. */
export function isPassing(error: DossierError): boolean {
  if (error instanceof RpcError) return PASSING_CODES.includes(error.code);
  return error instanceof ConnectionError || (error instanceof ResponseError && error.retryable);
}

/** Undefined if the text is no JSON. */
function parsed(text: string, json: Json): unknown {
  try {
    return json.parse(text);
  } catch {
    return undefined;
  }
}

function statusText(status: number): string {
  return status === NO_STATUS ? '' : `status ${status}, and `;
}

function isReply(reply: unknown): reply is WireReply {
  return typeof reply === 'object' && reply !== null && ('result' in reply || isError((reply as WireReply).error));
}

function isError(error: unknown): error is WireError {
  return typeof error === 'object' && error !== null && typeof (error as WireError).code === 'number';
}

function errorOf({ code, message, data }: WireError): RpcError {
  const word = (data as { code?: unknown } | undefined)?.code;
  if (!isErrorWord(word)) return new RpcError(code, message, data, PASSING_CODES.includes(code));
  const ErrorOfWord = ERROR_CLASSES[word] as new (...args: ConstructorParameters<typeof RpcError>) => RpcError;
  return new ErrorOfWord(code, message, data, RETRYABLE_ERRORS.includes(word));
}
