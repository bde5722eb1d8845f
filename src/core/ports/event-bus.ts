import type { DomainEvent } from '../domain/domain-event';
import type { TraceContext } from '../domain/trace-context';

/** From where other services learn of changes. */
export abstract class EventBus {
  /**
   * Resolves when the bus has taken the event and keeps it as durably as it keeps anything. Rejects if it has not, or
   * does not say so within a few seconds: then the event may or may not be published, and must be published again,
   * under the same `metadata.eventId`. `trace` is that of the call that made the change.
   */
  abstract publish(event: DomainEvent, trace?: TraceContext): Promise<void>;
}
