import type { EventPage, EventQuery, Outbox, OutboxEvent } from '../../core/ports/outbox';
import type { Clock } from '../../core/ports/clock';
import type { MemoryDatabase, RecordedEvent } from './memory-database';

/** Positions are places in the list: nothing is committed late in one process. */
export class MemoryOutbox implements Outbox {
  private readonly published = new Set<RecordedEvent>();

  constructor(
    private readonly database: MemoryDatabase,
    private readonly clock: Clock,
  ) {}

  unpublished(limit: number): Promise<readonly OutboxEvent[]> {
    const waiting = this.waiting().slice(0, limit);
    return Promise.resolve(waiting.map(({ seq, taskId, event }) => ({ seq, taskId, event })));
  }

  markPublished(events: readonly OutboxEvent[]): Promise<void> {
    const seqs = new Set(events.map(({ seq }) => seq));
    for (const one of this.database.outbox) if (seqs.has(one.seq)) this.published.add(one);
    return Promise.resolve();
  }

  backlog(): Promise<{ count: number; oldestAgeMs: number }> {
    const waiting = this.waiting();
    const oldestAgeMs = waiting[0] ? this.clock.nowMs() - waiting[0].event.timestamp : 0;
    return Promise.resolve({ count: waiting.length, oldestAgeMs });
  }

  read({ organization, taskId, after, limit }: EventQuery): Promise<EventPage | undefined> {
    const last = this.database.lastSeq;
    const start = after === undefined ? last : /^\d{1,15}$/.test(after) ? Number(after) : Infinity;
    if (start > last) return Promise.resolve(undefined);
    const found = this.database.outbox
      .filter((one) => one.seq > start && one.organization === organization)
      .filter((one) => taskId === undefined || one.taskId === taskId);
    const page = found.slice(0, limit);
    const more = found.length > limit;
    const position = String(more ? page.at(-1)?.seq : last);
    return Promise.resolve({
      events: page.map(({ event, seq }) => ({ event, position: String(seq) })),
      position,
      more,
    });
  }

  purge(beforeMs: number, limit: number): Promise<number> {
    const old = this.database.outbox.filter((one) => this.published.has(one) && one.event.timestamp < beforeMs);
    const purged = old.slice(0, limit);
    this.database.forgetEvents(new Set(purged));
    return Promise.resolve(purged.length);
  }

  private waiting(): RecordedEvent[] {
    return this.database.outbox.filter((one) => !this.published.has(one));
  }
}
