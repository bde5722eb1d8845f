import { bodyTooLarge, JsonRpcError, parseError } from '../json-rpc/json-rpc-error';
import { replyOf, type Outcome } from '../json-rpc/json-rpc';
import {
  idProblemOf,
  idText,
  invalidCall,
  isObject,
  memberText,
  readCall,
  readParams,
  type Call,
  type InvalidCall,
} from '../json-rpc/read-call';
import type { Steps } from '../json-rpc/json-scanner';
import { messageText } from '../json-rpc/message-text';
import { parseMessage } from '../json-rpc/parse-message';
import { RawParams } from '../json-rpc/raw-params';
import { writeJson } from '../json-rpc/json-writer';

/** A request, and the form in which its caller expects the reply. */
export interface NatsRequest {
  readonly call: Call | InvalidCall;
  /** `id` is JSON text. */
  readonly replyOf: (outcome: Outcome, id: string) => string;
}

type Members = Readonly<Record<string, unknown>>;

const NOT_AN_OBJECT = 'a NATS request must be one object: a JSON-RPC request, the params, or a packet of Nest';

/** Nest's client begins a packet like this. It would take a reply in any other form for a success. */
const NEST_START = Buffer.from('{"pattern":');

/**
 * The call in a message to the subject `method`. It has one of three forms: a JSON-RPC request object, which may leave
 * out its method; a packet of Nest's NATS client; or the bare params, if there are any. A large one takes several
 * steps.
 */
export function* readNatsRequest(method: string, payload: Uint8Array, maxBodyBytes: number): Steps<NatsRequest> {
  if (payload.length > maxBodyBytes) {
    return unreadNatsRequest(payload, { id: 'null', error: bodyTooLarge(maxBodyBytes) });
  }
  const withoutParams: NatsRequest = { call: { id: 'null', method, params: RawParams.NONE }, replyOf };
  if (payload.length === 0) return withoutParams;
  let text: string;
  let message: unknown;
  try {
    text = yield* messageText(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    message = yield* parseMessage(text);
  } catch (error) {
    return refused(error instanceof JsonRpcError ? error : parseError());
  }
  if (message === null || (Array.isArray(message) && message.length === 0)) return withoutParams;
  if (!isObject(message)) return { call: invalidCall(NOT_AN_OBJECT), replyOf };
  if (message['jsonrpc'] !== undefined) return { call: jsonRpcCall(method, message, text), replyOf };
  if (isNestPacket(message)) return { call: nestCall(method, message, text), replyOf: nestReplyOf };
  return { call: { id: 'null', method, params: new RawParams(message, () => text) }, replyOf };
}

/** For a request that is too large to be read: only its form is known. */
export function unreadNatsRequest(payload: Uint8Array, call: NatsRequest['call']): NatsRequest {
  const isNest = NEST_START.equals(payload.subarray(0, NEST_START.length));
  return { call, replyOf: isNest ? nestReplyOf : replyOf };
}

function jsonRpcCall(subject: string, members: Members, text: string): Call | InvalidCall {
  const call = readCall(members, () => text, subject);
  return 'method' in call && call.method !== subject
    ? invalidCall(`method must be left out or be the subject, ${subject}`, call.id)
    : call;
}

function isNestPacket({ pattern, data, id }: Members): boolean {
  return pattern !== undefined && (data !== undefined || id !== undefined);
}

/** A packet without an id is an event in Nest's words, and a notification in those of JSON-RPC. */
function nestCall(method: string, members: Members, text: string): Call | InvalidCall {
  const { id: givenId, data } = members;
  const id = idText(members, () => text);
  // Users of Nest's client send an empty string if they have nothing to send.
  const params = data === '' ? RawParams.NONE : readParams(data, () => memberText(members, 'data', () => text));
  const idProblem = idProblemOf(givenId);
  if (idProblem) return invalidCall(idProblem);
  return params ? { id, method, params } : invalidCall('data must be an object', id);
}

/** In the form of Nest's own server. */
function nestReplyOf(outcome: Outcome, id: string): string {
  if ('result' in outcome) return `{"response":${outcome.result},"isDisposed":true,"id":${id}}`;
  const { code, message, data } = outcome.error;
  return `{"err":${writeJson({ code, message, data })},"isDisposed":true,"id":${id}}`;
}

function refused(error: JsonRpcError): NatsRequest {
  return { call: { id: 'null', error }, replyOf };
}
