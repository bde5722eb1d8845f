import { groupedBy } from '../../core/consistency/grouped-by';
import type { Clock } from '../../core/ports/clock';
import type { EventPage, EventQuery, Outbox, OutboxChange, OutboxChanges, OutboxEvent } from '../../core/ports/outbox';
import type { MemoryDatabase } from './memory-database';
import type { OutboxRow } from './memory-outbox-rows';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A position of `read` is a `seq`. Rows get theirs in the order in which transactions commit. */
export class MemoryOutbox implements Outbox {
  constructor(
    private readonly database: MemoryDatabase,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {}

  onRecorded(listener: () => void): void {
    this.database.rows.onWaiting = listener;
  }

  unpublished(limit: number): Promise<readonly OutboxEvent[]> {
    const served = groupedBy([...this.database.rows.unpublished], readersOf).slice(0, limit);
    const share = Math.floor(limit / served.length);
    const rows = served.flatMap((ofOrganization) => ofOrganization.slice(0, share)).sort((a, b) => a.seq - b.seq);
    return Promise.resolve(rows.map(outboxEventOf));
  }

  /** No other process publishes. */
  standDown(): Promise<void> {
    return Promise.resolve();
  }

  markPublished(events: readonly OutboxEvent[]): Promise<void> {
    for (const { seq, event } of events) this.database.rows.markPublished(seq, event.metadata.eventId);
    return Promise.resolve();
  }

  backlog(): Promise<{ count: number; oldestAgeMs: number }> {
    const [oldest] = this.database.rows.unpublished;
    const oldestAgeMs = oldest ? this.clock.nowMs() - oldest.atMs : 0;
    return Promise.resolve({ count: this.database.rows.unpublishedCount, oldestAgeMs });
  }

  read({ organization, taskId, parentId, after, limit }: EventQuery): Promise<EventPage | undefined> {
    const last = this.database.rows.lastSeq;
    const start = after === undefined ? last : /^\d{1,15}$/.test(after) ? Number(after) : Infinity;
    if (start > last) return Promise.resolve(undefined);
    const found = this.database.rows.all
      .filter((one) => one.seq > start && one.organization === organization)
      .filter((one) => taskId === undefined || one.taskId === taskId)
      .filter((one) => parentId === undefined || [one.taskId, ...one.ancestors].includes(parentId));
    const page = found.slice(0, limit);
    const more = found.length > limit;
    const position = String(more ? page.at(-1)?.seq : last);
    return Promise.resolve({
      events: page.map(({ event, seq }) => ({ event, position: String(seq) })),
      position,
      more,
    });
  }

  changes(from: number | undefined, limit: number, lookBackMs: number): Promise<OutboxChanges> {
    const identity = this.database.history.identity();
    const { xmin: end, xmax: horizon } = this.database;
    const isKnown = from !== undefined && from <= end;
    const sinceMs = isKnown ? -Infinity : this.clock.nowMs() - lookBackMs;
    const changes: OutboxChange[] = [];
    let to = isKnown ? from : 1;
    // A transaction is returned as a whole: a reader can continue only between two transactions.
    for (; to < end && changes.length < limit; to++) {
      const rows = this.database.rows.ofTransaction(to).filter(({ atMs }) => atMs >= sinceMs);
      changes.push(...rows.flatMap(changeOf));
    }
    return Promise.resolve({ changes, to, horizon, identity });
  }

  horizon(): Promise<number> {
    return Promise.resolve(this.database.xmax);
  }

  purge(beforeMs: number): Promise<{ more: boolean }> {
    const days = new Set([...this.database.rows.unpublished].map(dayOf));
    const old = this.database.rows.all.filter((row) => (dayOf(row) + 1) * DAY_MS <= beforeMs && !days.has(dayOf(row)));
    this.database.rows.forget(new Set(old));
    return Promise.resolve({ more: false });
  }
}

/** The task if it is not there, and so belongs to no organisation. */
function readersOf({ organization, taskId }: OutboxRow): string {
  return organization ?? taskId;
}

function outboxEventOf({ seq, taskId, event, trace }: OutboxRow): OutboxEvent {
  return { seq, taskId, event, ...(trace && { trace }) };
}

function dayOf({ atMs }: OutboxRow): number {
  return Math.floor(atMs / DAY_MS);
}

/** Empty if the change does not concern the cache. */
function changeOf({ kind, taskId, key, version, op, event, superseded }: OutboxRow): OutboxChange[] {
  if (superseded || version === undefined) return [];
  if (kind === 'task-deleted') return [{ kind, taskId, version }];
  if (kind !== 'attachment' || key === undefined) return [];
  return [{ kind, taskId, key, version, op, deleted: event.type !== 'task.attachment_created' }];
}
