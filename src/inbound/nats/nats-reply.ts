import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { Outcome } from '../json-rpc/json-rpc';
import { replyTooLarge, type JsonRpcError } from '../json-rpc/json-rpc-error';
import type { NatsRequest } from './nats-request';

export interface NatsReply {
  readonly payload: Uint8Array;
  /** The error that the caller sees, also if the result is larger than a message may be. */
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

/** Clients that do not read the payload see in the headers that a request failed. */
export function errorHeaders({ code, message }: JsonRpcError): MsgHdrs {
  const errorHeaders = headers();
  errorHeaders.set('Nats-Service-Error', message);
  errorHeaders.set('Nats-Service-Error-Code', String(code));
  return errorHeaders;
}
