export interface Ref {
  readonly taskId: string;
  readonly key: string;
}

/** Whom a call asked, and when: times are those of the one process that records, in ms. */
export interface Call {
  /** The process that was asked: a replica that is started again is another one. */
  readonly replica: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** One call that writes. */
export interface Attempt extends Ref, Call {
  readonly kind: 'put' | 'delete';
  /** No two attempts share one: it is the value of a put, and who makes a deletion. */
  readonly name: string;
  readonly outcome: 'acknowledged' | 'unknown';
  /** As acknowledged; of a deletion the outbox tells it. */
  readonly version?: number;
  /** Acknowledged by the journal alone. */
  readonly journaled: boolean;
}

/** One answer about one key. */
export interface Read extends Ref, Call {
  /** By name: an answer about the key itself, rather than a page of a list. */
  readonly byName: boolean;
  /** Undefined: not there. `name` is that of the put whose value was answered. */
  readonly found?: { readonly version: number; readonly name: string };
}

/** One call that creates a task, or deletes it, itself or with the task above it. */
export interface TaskAttempt extends Call {
  readonly taskId: string;
  readonly kind: 'create' | 'delete';
  /** Who makes it; that of a deletion is in its event. */
  readonly name: string;
  readonly outcome: 'acknowledged' | 'unknown';
}

/** One answer that tells whether a task is there. */
export interface TaskSighting extends Call {
  readonly taskId: string;
  /** `changed`: PostgreSQL has taken a write to an attachment of it. */
  readonly seen: 'missing' | 'there' | 'changed';
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What clients have done and seen. */
export interface History {
  readonly attempts: readonly Attempt[];
  readonly reads: readonly Read[];
  readonly taskAttempts: readonly TaskAttempt[];
  readonly sightings: readonly TaskSighting[];
  /** When no fault has been about for so long that no answer may be stale. */
  readonly calm: readonly Span[];
  /** Redis has lost its data: gone is what it alone was told of, up to then and while it was not in PostgreSQL. */
  readonly lostUntilMs?: number;
}

/** What PostgreSQL keeps under a key. */
export interface StoredRow extends Ref {
  readonly version: number;
  readonly op: string;
  /** The value; undefined for a tombstone. */
  readonly name?: string;
}

/** What PostgreSQL keeps of a task. */
export interface StoredTask {
  readonly taskId: string;
  readonly isDeleted: boolean;
  /** Nothing is left but that it was there. */
  readonly isBlank: boolean;
}

export interface OutboxRow extends Ref {
  readonly op: string;
  readonly version: number;
  readonly superseded: boolean;
  readonly published: boolean;
  /** Who made the deletion; undefined for a put. */
  readonly deletedBy?: string;
}

/** What the outbox has of a task itself. */
export interface TaskEventRow {
  readonly taskId: string;
  readonly op: string;
  readonly type: string;
  readonly published: boolean;
  /** Who made the deletion. */
  readonly deletedBy?: string;
}

/** What came out of it, once everything is quiet. */
export interface Evidence {
  readonly stored: readonly StoredRow[];
  readonly tasks: readonly StoredTask[];
  /** In the order of `seq`, as the next. */
  readonly outbox: readonly OutboxRow[];
  readonly taskEvents: readonly TaskEventRow[];
  /** The ids of the events as they went out, in their order. */
  readonly announced: readonly string[];
}

export function nameOf({ taskId, key }: Ref): string {
  return `${taskId}/${key}`;
}

/** Whether the one was over when the other began. */
export function precedes(one: Call, other: Call): boolean {
  return one.endedAtMs < other.startedAtMs;
}

/** Whether the one may have taken effect on the other. */
export function hasBegunBefore(one: Call, other: Call): boolean {
  return one.startedAtMs <= other.endedAtMs;
}
