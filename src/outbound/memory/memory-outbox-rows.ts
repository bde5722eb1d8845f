import type { DomainEvent } from '../../core/domain/domain-event';

export interface OutboxRow {
  /** Given when the row becomes visible. */
  readonly seq: number;
  /** Of the transaction that recorded it. */
  readonly xid: number;
  readonly op: string;
  readonly taskId: string;
  readonly kind: 'attachment' | 'task' | 'task-deleted';
  /** Of an attachment. */
  readonly key?: string;
  /** Undefined where the kind is `task`. */
  readonly version?: number;
  /** Undefined for what is recorded as published, because nobody is to be told. */
  readonly organization?: string;
  readonly event: DomainEvent;
  /** Something newer was there before it, so that it has changed nothing. */
  readonly superseded: boolean;
  published: boolean;
  readonly atMs: number;
}

/** Rows in three orders, so that no reader looks at what it does not want. */
export class MemoryOutboxRows {
  private rows: OutboxRow[] = [];
  private readonly waiting = new Map<number, OutboxRow>();
  private readonly byXid = new Map<number, OutboxRow[]>();
  private readonly ops = new Set<string>();
  private seq = 0;

  /** By `seq`. */
  get all(): readonly OutboxRow[] {
    return this.rows;
  }

  /** Those to be published, by `seq`. */
  get unpublished(): Iterable<OutboxRow> {
    return this.waiting.values();
  }

  get unpublishedCount(): number {
    return this.waiting.size;
  }

  /** Of the row that was added last. */
  get lastSeq(): number {
    return this.seq;
  }

  ofTransaction(xid: number): readonly OutboxRow[] {
    return this.byXid.get(xid) ?? [];
  }

  /** Does nothing where the op has a row. */
  add(unnumbered: Omit<OutboxRow, 'seq'>): void {
    if (this.ops.has(unnumbered.op)) return;
    const row = { ...unnumbered, seq: ++this.seq };
    this.ops.add(row.op);
    this.rows.push(row);
    if (!row.published) this.waiting.set(row.seq, row);
    const ofTransaction = this.byXid.get(row.xid);
    if (ofTransaction) ofTransaction.push(row);
    else this.byXid.set(row.xid, [row]);
  }

  markPublished(seq: number): void {
    const row = this.waiting.get(seq);
    if (row) row.published = true;
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
}
