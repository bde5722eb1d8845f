import type { DomainEvent } from '../domain/domain-event';

/** From where other services learn of changes. */
export abstract class EventBus {
  /**
   * Resolves when the bus has taken the event and keeps it as durably as it keeps anything. Rejects if it has not, or
   * does not say so within a few seconds: then the event may or may not be published, and must be published again,
   * under the same `metadata.eventId`.
   */
  abstract publish(event: DomainEvent): Promise<void>;
}
