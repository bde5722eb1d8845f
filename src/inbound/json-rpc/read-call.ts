import { lengthProblem } from '../../core/domain/identifiers';
import { jsonElements, jsonMembers } from '../../core/domain/json-text';
import { outlinedText } from './json-outline';
import { invalidRequest, type JsonRpcError } from './json-rpc-error';
import { RawParams } from './raw-params';

/** In Unicode code points. */
const MAX_ID_LENGTH = 128;

/** `id` is the JSON text of the reply's id; undefined for a notification. */
export interface Call {
  readonly id: string | undefined;
  readonly method: string;
  readonly params: RawParams;
}

/** A message that holds no valid call: `error` says why, and `id` is the JSON text of the id that the error goes to. */
export interface InvalidCall {
  readonly id: string;
  readonly error: JsonRpcError;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * The call in a parsed message; `readText` gives what it was parsed from. `subject` stands for a method that is left
 * out.
 */
export function readCall(request: unknown, readText: () => string, subject?: string): Call | InvalidCall {
  if (!isObject(request)) return invalidCall('a request must be an object');
  const { jsonrpc, method = subject, params: givenParams, id: givenId } = request;
  const id = idText(request, readText);
  const params = readParams(givenParams, () => memberText(request, 'params', readText));
  const idProblem = idProblemOf(givenId);
  if (!idProblem && jsonrpc === '2.0' && typeof method === 'string' && params) return { id, method, params };
  if (isPrinted(request)) return { id: 'null', error: invalidRequest() };
  const reasons = [
    idProblem,
    jsonrpc === '2.0' ? undefined : 'jsonrpc must be "2.0"',
    typeof method === 'string' ? undefined : 'method must be a string',
    params ? undefined : 'params must be an object',
  ];
  return invalidCall(reasons.filter((reason) => reason !== undefined).join(', '), id);
}

/**
 * Undefined if `params` cannot be the params of a call. Clients that have nothing to pass send null or an empty array,
 * and clients that only pass by position send an array of one object: it is taken by name.
 */
export function readParams(params: unknown, readText: () => string): RawParams | undefined {
  if (params === undefined || params === null) return RawParams.NONE;
  if (typeof params !== 'object') return undefined;
  if (!Array.isArray(params)) return new RawParams(params as Members, readText);
  if (params.length === 0) return RawParams.NONE;
  const [only] = params as unknown[];
  if (params.length > 1 || !isObject(only)) return new RawParams(params, readText);
  return new RawParams(only, () => jsonElements(readText())[0] as string);
}

/**
 * The id of a request; undefined if there is none, or no valid one. If parsing could have changed a number, it is
 * echoed as it was spelt: `readText` gives what the request was parsed from.
 */
export function idText(request: Members, readText: () => string): string | undefined {
  const { id } = request;
  if (id === undefined || idProblemOf(id)) return undefined;
  if (typeof id !== 'number') return JSON.stringify(id);
  return Number.isSafeInteger(id) && !Object.is(id, -0) ? String(id) : memberText(request, 'id', readText);
}

/** What is wrong with an id that was given; undefined if nothing is, or if none was given. */
export function idProblemOf(id: unknown): string | undefined {
  if (id === undefined || id === null || (typeof id === 'number' && Number.isFinite(id))) return undefined;
  if (typeof id !== 'string') return 'id must be a string, a finite number or null';
  const problem = lengthProblem(id, MAX_ID_LENGTH);
  return problem && `id ${problem}`;
}

/** `readText` gives what the object was parsed from. */
export function memberText(object: Members, name: string, readText: () => string): string {
  return outlinedText(object, name) ?? (jsonMembers(readText()).get(name) as string);
}

export function invalidCall(reason: string, id = 'null'): InvalidCall {
  return { id, error: invalidRequest({ code: 'INVALID_REQUEST', reason }) };
}

export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Section 7 of the specification prints the replies to two kinds of invalid objects: one that has no member of a
 * request, `{"foo": "boo"}`, and `{"jsonrpc": "2.0", "method": 1, "params": "bar"}`.
 */
function isPrinted({ jsonrpc, method, params, id }: Members): boolean {
  if (id !== undefined) return false;
  if (jsonrpc === undefined) return method === undefined && params === undefined;
  return jsonrpc === '2.0' && typeof method === 'number' && typeof params === 'string';
}
