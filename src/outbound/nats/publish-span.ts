import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { DomainEvent } from '../../core/domain/domain-event';
import { isTraceparent, isTracestate, type TraceContext } from '../../core/domain/trace-context';
import type { SpanOptions } from '../../core/ports/tracing';

/** Of the message that announces a change, as a part of the call that made the change. */
export function publishSpan(subject: string, { metadata }: DomainEvent, parent: TraceContext): SpanOptions {
  const attributes = {
    'messaging.system': 'nats',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'publish',
    'messaging.destination.name': subject,
    'messaging.message.id': metadata.eventId,
  };
  return { name: `publish ${subject}`, kind: 'producer', attributes, parent };
}

/** The headers by which a receiver goes on with the trace. What is no trace must not keep an event from going out. */
export function traceHeaders({ traceparent, tracestate }: TraceContext): MsgHdrs {
  const traceHeaders = headers();
  if (!isTraceparent(traceparent)) return traceHeaders;
  traceHeaders.set('traceparent', traceparent);
  if (isTracestate(tracestate)) traceHeaders.set('tracestate', tracestate);
  return traceHeaders;
}
