import { traceIdOf } from '../../core/domain/trace-context';

/** By these a call is found again: in this log, in that of its caller, and in traces. */
export interface CallIds {
  readonly requestId: string;
  /** Undefined if the call belongs to no trace. */
  readonly traceId?: string;
}

/** `traceparent` is the header as it was sent. */
export function callIds(requestId: string, traceparent: unknown): CallIds {
  const traceId = traceIdOf(traceparent);
  return traceId === undefined ? { requestId } : { requestId, traceId };
}
