import type { Clock } from '../../ports/clock';
import type { EventBus } from '../../ports/event-bus';
import type { Metrics } from '../../ports/metrics';
import type { Outbox, OutboxEvent } from '../../ports/outbox';
import { groupedBy } from '../../consistency/grouped-by';
import { inParallel } from '../../consistency/in-parallel';

const BATCH_SIZE = 512;
const MAX_TASKS_IN_FLIGHT = 64;
/** Each task has one event published in a turn, and others while it lasts: what others record waits for its end. */
const TURN_MS = 50;

/** `standby`: another replica publishes; `idle`: nothing waits. */
export type PublishOutcome = 'standby' | 'idle' | 'published';

/**
 * Publishes what waits in the outbox, in turns of the organisations: the events of one task strictly one after the
 * other, several tasks at once.
 */
export class PublishEvents {
  private leads = false;

  constructor(
    private readonly outbox: Outbox,
    private readonly bus: EventBus,
    private readonly metrics: Metrics,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  /** Whether this replica was the one that publishes, when it last tried to. */
  get isPublisher(): boolean {
    return this.leads;
  }

  /** Calls `listener` whenever it is time to `execute`, as far as this replica notices. */
  onWaiting(listener: () => void): void {
    this.outbox.onRecorded(listener);
  }

  /**
   * If an event cannot be published, notes those that were, leaves the rest to the replica that comes first, as another
   * one may reach the bus, and throws the reason. Safe to call again at any time.
   */
  async execute(): Promise<PublishOutcome> {
    let outcome: PublishOutcome | undefined;
    try {
      outcome = await this.publishWaiting();
      return outcome;
    } finally {
      this.leads = outcome === 'idle' || outcome === 'published';
      this.metrics.publisher(this.leads);
    }
  }

  private async publishWaiting(): Promise<PublishOutcome> {
    const waiting = await this.outbox.unpublished(BATCH_SIZE);
    if (!waiting) return 'standby';
    if (waiting.length === 0) return 'idle';
    try {
      await this.publish(waiting);
    } catch (error) {
      await this.outbox.standDown();
      throw error;
    }
    return 'published';
  }

  private async publish(waiting: readonly OutboxEvent[]): Promise<void> {
    const published: OutboxEvent[] = [];
    const endsAtMs = this.clock.monotonicMs() + TURN_MS;
    try {
      await inParallel(
        groupedBy(waiting, ({ taskId }) => taskId),
        MAX_TASKS_IN_FLIGHT,
        (ofTask) => this.publishInOrder(ofTask, endsAtMs, published),
      );
    } finally {
      if (published.length > 0) await this.outbox.markPublished(published);
    }
  }

  private async publishInOrder(
    events: readonly OutboxEvent[],
    endsAtMs: number,
    published: OutboxEvent[],
  ): Promise<void> {
    for (const one of events) {
      await this.bus.publish(one.event, one.trace).catch((error: unknown) => {
        this.metrics.publishingFailed();
        throw error;
      });
      published.push(one);
      this.metrics.eventPublished(one.event.type);
      if (this.clock.monotonicMs() >= endsAtMs) return;
    }
  }
}
