import { invalidRequest, parseError, type JsonRpcError } from '../json-rpc/json-rpc-error';
import { replyOf, type Outcome } from '../json-rpc/json-rpc';
import {
  idText,
  invalidCall,
  memberText,
  readCall,
  readParams,
  type Call,
  type InvalidCall,
} from '../json-rpc/read-call';
import { RawParams } from '../json-rpc/raw-params';
import { writeJson } from '../json-rpc/json-writer';

/** A request, and the form in which its caller expects the reply. */
export interface NatsRequest {
  readonly call: Call | InvalidCall;
  /** `id` is JSON text. */
  readonly replyOf: (outcome: Outcome, id: string) => string;
}

type Members = Readonly<Record<string, unknown>>;

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Nest's client begins a packet like this. It would take a reply in any other form for a success. */
const NEST_START = Buffer.from('{"pattern":');

/**
 * The call in a message to the subject `method`. It has one of three forms: a JSON-RPC request object, which may leave
 * out its method; a packet of Nest's NATS client; or the bare params.
 */
export function readNatsRequest(method: string, payload: Uint8Array, maxBodyBytes: number): NatsRequest {
  if (payload.length > maxBodyBytes) {
    const error = invalidRequest({ code: 'BODY_TOO_LARGE', maxBodyBytes });
    return refused(error, NEST_START.equals(payload.subarray(0, NEST_START.length)) ? nestReplyOf : replyOf);
  }
  let text: string;
  let message: unknown;
  try {
    text = UTF_8.decode(payload);
    message = JSON.parse(text);
  } catch {
    return refused(parseError());
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return refused(invalidRequest());
  const members = message as Members;
  if (members['jsonrpc'] !== undefined) return { call: jsonRpcCall(method, members, text), replyOf };
  if (isNestPacket(members)) return { call: nestCall(method, members, text), replyOf: nestReplyOf };
  return { call: { id: 'null', method, params: new RawParams(members, () => text) }, replyOf };
}

function jsonRpcCall(subject: string, members: Members, text: string): Call | InvalidCall {
  const call = readCall({ method: subject, ...members }, text);
  return 'method' in call && call.method !== subject ? invalidCall(call.id) : call;
}

function isNestPacket({ pattern, data, id }: Members): boolean {
  return pattern !== undefined && (data !== undefined || id !== undefined);
}

/** A packet without an id is an event in Nest's words, and a notification in those of JSON-RPC. */
function nestCall(method: string, { id: givenId, data }: Members, text: string): Call | InvalidCall {
  const id = givenId === undefined ? undefined : idText(givenId, text);
  const params = readParams(data, () => memberText(text, 'data'));
  return (givenId === undefined || id !== undefined) && params ? { id, method, params } : invalidCall(id);
}

/** In the form of Nest's own server. */
function nestReplyOf(outcome: Outcome, id: string): string {
  if ('result' in outcome) return `{"response":${outcome.result},"isDisposed":true,"id":${id}}`;
  const { code, message, data } = outcome.error;
  return `{"err":${writeJson({ code, message, data })},"isDisposed":true,"id":${id}}`;
}

function refused(error: JsonRpcError, write: NatsRequest['replyOf'] = replyOf): NatsRequest {
  return { call: { id: 'null', error }, replyOf: write };
}
