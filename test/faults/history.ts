export interface Ref {
  readonly taskId: string;
  readonly key: string;
}

/** One call that writes. Times are those of the one process that records, in ms. */
export interface Attempt extends Ref {
  readonly kind: 'put' | 'delete';
  /** No two attempts share one: it is the value of a put, and who makes a deletion. */
  readonly name: string;
  /** The process that was asked: a replica that is started again is another one. */
  readonly replica: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: 'acknowledged' | 'unknown';
  /** As acknowledged; of a deletion the outbox tells it. */
  readonly version?: number;
  /** Acknowledged by the journal alone. */
  readonly journaled: boolean;
}

/** One answer about one key. */
export interface Read extends Ref {
  readonly replica: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** By name: an answer about the key itself, rather than a page of a list. */
  readonly byName: boolean;
  /** Undefined: not there. `name` is that of the put whose value was answered. */
  readonly found?: { readonly version: number; readonly name: string };
}

/** When no fault has been about for so long that no answer may be stale. */
export interface CalmSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What clients have done and seen. */
export interface History {
  readonly attempts: readonly Attempt[];
  readonly reads: readonly Read[];
  readonly calm: readonly CalmSpan[];
}

/** What PostgreSQL keeps under a key. */
export interface StoredRow extends Ref {
  readonly version: number;
  readonly op: string;
  /** The value; undefined for a tombstone. */
  readonly name?: string;
}

export interface OutboxRow extends Ref {
  readonly op: string;
  readonly version: number;
  readonly superseded: boolean;
  readonly published: boolean;
  /** Who made the deletion; undefined for a put. */
  readonly deletedBy?: string;
}

/** What came out of it, once everything is quiet. */
export interface Evidence {
  readonly stored: readonly StoredRow[];
  /** In the order of `seq`. */
  readonly outbox: readonly OutboxRow[];
  /** The ids of the events as they went out, in their order. */
  readonly announced: readonly string[];
}

export function nameOf({ taskId, key }: Ref): string {
  return `${taskId}/${key}`;
}
