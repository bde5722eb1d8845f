export interface Ref {
  readonly taskId: string;
  readonly key: string;
}

/** The replica that a call asked, and when. All times are those of the recording process, in ms. */
export interface Call {
  /** The process that was asked: a replica that is started again counts as another one. */
  readonly replica: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** One call that writes. */
export interface Attempt extends Ref, Call {
  readonly kind: 'put' | 'delete';
  /** Unique: the value of a put, the caller of a deletion. */
  readonly name: string;
  readonly outcome: 'acknowledged' | 'unknown';
  /** As acknowledged. The version of a deletion is in the outbox. */
  readonly version?: number;
  /** Acknowledged by the journal alone. */
  readonly journaled: boolean;
}

/** One answer about one key. */
export interface Read extends Ref, Call {
  /** By name: an answer about the key itself, rather than a page of a list. */
  readonly byName: boolean;
  /** Undefined: not there. `name` is that of the put whose value was returned. */
  readonly found?: { readonly version: number; readonly name: string };
}

/** One call that creates a task, or deletes it, itself or with the task above it. */
export interface TaskAttempt extends Call {
  readonly taskId: string;
  readonly kind: 'create' | 'delete';
  /** The caller. The event of a deletion names it. */
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
  /** The times at which no fault has been active for so long that no answer may be stale. */
  readonly calm: readonly Span[];
  /** Redis has lost its data: what it alone had at this moment is gone. */
  readonly lostUntilMs?: number;
  readonly undone?: Undone;
}

/** PostgreSQL was restored to the moment at which this time began; it ended with the end of the server that was. */
export interface Undone extends Span {
  /** Until then clients may have seen what was lost. */
  readonly seenUntilMs: number;
  /** The ids of the events that had been announced by then: some of them may be of what was lost. */
  readonly announced: ReadonlySet<string>;
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
  /** The caller of the deletion; undefined for a put. */
  readonly deletedBy?: string;
}

/** A journaled write that has become a dead letter, because PostgreSQL does not know its task. */
export interface HomelessWrite extends Ref {
  readonly version: number;
  /** The caller of the deletion; undefined for a put. */
  readonly deletedBy?: string;
}

/** What the outbox has of a task itself. */
export interface TaskEventRow {
  readonly taskId: string;
  readonly op: string;
  readonly type: string;
  readonly published: boolean;
  /** The caller of the deletion. */
  readonly deletedBy?: string;
}

/** The outcome, once everything is quiet. */
export interface Evidence {
  readonly stored: readonly StoredRow[];
  readonly tasks: readonly StoredTask[];
  /** In the order of `seq`, as the next. */
  readonly outbox: readonly OutboxRow[];
  readonly taskEvents: readonly TaskEventRow[];
  readonly homeless: readonly HomelessWrite[];
  /** The ids of the events as they went out, in their order. */
  readonly announced: readonly string[];
}

/**
 * Whether the restore may have undone a call: it was not over when the time began, or an entry of the journal, which
 * may have been drained at any moment until the end of the server.
 */
export function mayBeUndone(call: Call & { readonly journaled?: boolean }, undone: Span | undefined): boolean {
  if (!undone || call.startedAtMs > undone.toMs) return false;
  return call.journaled === true || call.endedAtMs >= undone.fromMs;
}

export function nameOf({ taskId, key }: Ref): string {
  return `${taskId}/${key}`;
}

/** Whether the first had ended before the second began. */
export function precedes(one: Call, other: Call): boolean {
  return one.endedAtMs < other.startedAtMs;
}

/** Whether the first may have had an effect on the second. */
export function hasBegunBefore(one: Call, other: Call): boolean {
  return one.startedAtMs <= other.endedAtMs;
}
