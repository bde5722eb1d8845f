import type { DomainEvent } from '../../core/domain/domain-event';
import { EventBus } from '../../core/ports/event-bus';

type Listener = (event: DomainEvent) => void;

/** For listeners in this process; there may be none. */
export class MemoryEventBus extends EventBus {
  private readonly listeners = new Set<Listener>();

  /** Returns a function that ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  publish(event: DomainEvent): Promise<void> {
    for (const listener of this.listeners) listener(event);
    return Promise.resolve();
  }
}
