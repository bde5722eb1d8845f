import type { DomainEvent } from '../../core/domain/domain-event';
import { EventBus } from '../../core/ports/event-bus';

type Listener = (event: DomainEvent) => void;

/** For those who listen in this process; there may be nobody. */
export class MemoryEventBus extends EventBus {
  private readonly listeners = new Set<Listener>();

  /** Returns how to stop listening. */
  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  publish(event: DomainEvent): Promise<void> {
    for (const listener of this.listeners) listener(event);
    return Promise.resolve();
  }
}
