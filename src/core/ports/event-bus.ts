import type { DomainEvent } from '../domain/domain-event';

/** Where others learn of changes. */
export abstract class EventBus {
  /**
   * Resolves when the bus has taken the event and keeps it as durably as it keeps anything. Rejects when it did not, or
   * did not say so within a few seconds: then the event may or may not be out, and has to be published again, under the
   * same `metadata.eventId`.
   */
  abstract publish(event: DomainEvent): Promise<void>;
}
