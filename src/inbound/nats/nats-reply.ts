import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { CallIds } from '../correlation/call-ids';
import { REQUEST_ID_HEADER } from '../correlation/request-id';
import type { Outcome } from '../json-rpc/json-rpc';
import { replyTooLarge, type JsonRpcError } from '../json-rpc/json-rpc-error';
import type { NatsRequest } from './nats-request';

export interface NatsReply {
  readonly payload: Uint8Array;
  /** The error that the caller sees, even if the result is larger than a message may be. */
  readonly error?: JsonRpcError;
}

export interface ReplyLimits {
  readonly maxReplyBytes: number;
  /** Of the NATS server; undefined if it does not say. */
  readonly maxPayloadBytes?: number;
}

/** Undefined for a notification. A payload over the server's limit would be lost: an error is sent instead. */
export function natsReply(
  { call: { id }, replyOf }: NatsRequest,
  outcome: Outcome,
  { maxReplyBytes, maxPayloadBytes = maxReplyBytes }: ReplyLimits,
): NatsReply | undefined {
  if (id === undefined) return undefined;
  const payload = Buffer.from(replyOf(outcome, id));
  if (payload.length <= Math.min(maxReplyBytes, maxPayloadBytes)) {
    return { payload, error: 'error' in outcome ? outcome.error : undefined };
  }
  const error = replyTooLarge(payload.length > maxReplyBytes ? { maxReplyBytes } : { maxPayloadBytes });
  return { payload: Buffer.from(replyOf({ error }, id)), error };
}

/**
 * Clients that do not read the payload see in the headers that a request failed. A result has headers only if the
 * sender asked for one, by giving the id of its request: they cost both sides more than a small result.
 */
export function replyHeaders(error: JsonRpcError | undefined, ids: CallIds, gaveId: boolean): MsgHdrs | undefined {
  if (!error && !gaveId) return undefined;
  const replyHeaders = headers();
  replyHeaders.set(REQUEST_ID_HEADER, ids.requestId);
  if (!error) return replyHeaders;
  replyHeaders.set('Nats-Service-Error', error.message);
  replyHeaders.set('Nats-Service-Error-Code', String(error.code));
  return replyHeaders;
}
