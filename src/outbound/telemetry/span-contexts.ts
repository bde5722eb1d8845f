import { createTraceState, trace, TraceFlags, type Span, type SpanContext } from '@opentelemetry/api';
import { isTraceparent, type TraceContext } from '../../core/domain/trace-context';

/** The span of another process, or of an earlier time; undefined if it is not valid. */
export function remoteSpan({ traceparent, tracestate }: TraceContext): Span | undefined {
  if (!isTraceparent(traceparent)) return undefined;
  const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string];
  return trace.wrapSpanContext({
    traceId,
    spanId,
    // Later flags have no meaning here, and would be passed on as if they had.
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    traceState: tracestate === undefined ? undefined : createTraceState(tracestate),
  });
}

/** Both headers of the W3C. The library keeps at most 512 characters of the state, and none that is not well formed. */
export function traceContextOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  const tracestate = traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}
