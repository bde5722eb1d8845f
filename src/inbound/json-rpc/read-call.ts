import { isLongerThan } from '../../core/domain/identifiers';
import { jsonMembers } from '../../core/domain/json-text';
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

/** The call in a parsed message; `text` is what it was parsed from. */
export function readCall(request: unknown, text: string): Call | InvalidCall {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) return invalidCall();
  const { jsonrpc, method, params: givenParams, id: givenId } = request as Record<string, unknown>;
  const id = givenId === undefined ? undefined : idText(givenId, text);
  if (givenId !== undefined && id === undefined) return invalidCall();
  const params = readParams(givenParams, () => memberText(text, 'params'));
  return jsonrpc === '2.0' && typeof method === 'string' && params ? { id, method, params } : invalidCall(id);
}

/** Undefined if `params` is neither an object nor an array. */
export function readParams(params: unknown, readText: () => string): RawParams | undefined {
  if (params === undefined) return new RawParams({}, () => '{}');
  if (typeof params !== 'object' || params === null) return undefined;
  return new RawParams(params as RawParams['values'], readText);
}

/** Undefined if `id` is not a valid id. If parsing could have changed a number, it is echoed as it was spelt. */
export function idText(id: unknown, text: string): string | undefined {
  if (id === null) return 'null';
  if (typeof id === 'string') return isLongerThan(id, MAX_ID_LENGTH) ? undefined : JSON.stringify(id);
  if (typeof id !== 'number' || !Number.isFinite(id)) return undefined;
  return Number.isSafeInteger(id) && !Object.is(id, -0) ? String(id) : memberText(text, 'id');
}

export function memberText(text: string, name: string): string {
  return jsonMembers(text).get(name) as string;
}

export function invalidCall(id = 'null'): InvalidCall {
  return { id, error: invalidRequest() };
}
