import type { DomainEvent } from '../../core/domain/domain-event';
import type { TraceContext } from '../../core/domain/trace-context';

export interface OutboxRow {
  /** Assigned when the row becomes visible. */
  readonly seq: number;
  /** The transaction that recorded the row. */
  readonly xid: number;
  readonly op: string;
  readonly taskId: string;
  readonly kind: 'attachment' | 'task' | 'task-deleted';
  /** Set if the change is of an attachment. */
  readonly key?: string;
  /** Undefined if the kind is `task`. */
  readonly version?: number;
  /** Undefined for a row that is recorded as published because it must not be announced. */
  readonly organization?: string;
  /** The nearest first. */
  readonly ancestors: readonly string[];
  readonly event: DomainEvent;
  /** Of the event, which no longer has it. */
  readonly trace?: TraceContext;
  /** A newer version was stored before this write, so it has changed nothing. */
  readonly superseded: boolean;
  published: boolean;
  readonly atMs: number;
}

/** Rows in three orders, so that no reader scans rows that it does not need. */
export class MemoryOutboxRows {
  private rows: OutboxRow[] = [];
  private readonly waiting = new Map<number, OutboxRow>();
  private readonly byXid = new Map<number, OutboxRow[]>();
  private readonly ops = new Set<string>();
  private seq = 0;
  /** Called when a row begins to wait. */
  onWaiting: () => void = () => undefined;

  /** Whether a row is published is noted in each copy by itself. */
  copy(): MemoryOutboxRows {
    const copy = new MemoryOutboxRows();
    copy.seq = this.seq;
    for (const row of this.rows) copy.enter({ ...row });
    return copy;
  }

  /** By `seq`. */
  get all(): readonly OutboxRow[] {
    return this.rows;
  }

  /** Rows that wait to be published, by `seq`. */
  get unpublished(): Iterable<OutboxRow> {
    return this.waiting.values();
  }

  get unpublishedCount(): number {
    return this.waiting.size;
  }

  /** The `seq` of the row that was added last. */
  get lastSeq(): number {
    return this.seq;
  }

  ofTransaction(xid: number): readonly OutboxRow[] {
    return this.byXid.get(xid) ?? [];
  }

  /** Does nothing if the op already has a row. */
  add(unnumbered: Omit<OutboxRow, 'seq'>): void {
    if (this.ops.has(unnumbered.op)) return;
    const { trace, ...event } = unnumbered.event;
    this.enter({ ...unnumbered, ...(trace && { event, trace }), seq: ++this.seq });
    if (!unnumbered.published) this.onWaiting();
  }

  markPublished(seq: number, op: string): void {
    const row = this.waiting.get(seq);
    if (row?.op !== op) return;
    row.published = true;
    this.waiting.delete(seq);
  }

  forget(forgotten: ReadonlySet<OutboxRow>): void {
    this.rows = this.rows.filter((row) => !forgotten.has(row));
    for (const { seq, xid, op } of forgotten) {
      this.waiting.delete(seq);
      this.ops.delete(op);
      const left = this.ofTransaction(xid).filter((row) => !forgotten.has(row));
      if (left.length > 0) this.byXid.set(xid, left);
      else this.byXid.delete(xid);
    }
  }

  private enter(row: OutboxRow): void {
    this.ops.add(row.op);
    this.rows.push(row);
    if (!row.published) this.waiting.set(row.seq, row);
    const ofTransaction = this.byXid.get(row.xid);
    if (ofTransaction) ofTransaction.push(row);
    else this.byXid.set(row.xid, [row]);
  }
}
