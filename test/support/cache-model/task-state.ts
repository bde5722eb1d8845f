import type { Attachment } from '../../../src/core/domain/attachment';

/** Drained: the store has it, but a write that is still on its way to the cache must be told of it. */
export type Mark = 'cached' | 'journaled' | 'drained';

export interface CacheRecord {
  readonly version: number;
  readonly op: string;
  readonly mark: Mark;
  /** False for a tombstone. */
  readonly live: boolean;
  readonly expiresAtMs?: number;
}

/** Ends by itself, or is evicted; `Infinity` keeps it from both. */
interface Mortal {
  endsAtMs: number;
}

export interface Control extends Mortal {
  /** In which all of it was learned. */
  epoch: string;
  /** A put at or below it may be older than what was forgotten; also the token of fills. */
  floor: number;
  /** The token that was given out before the floor was lowered: the floor never has this value again. */
  spentToken?: number;
  /** Every live attachment of the task has a record. */
  complete: boolean;
  organization?: string;
  /** Entries of the journal that the store has not seen. */
  undrained: number;
  /** Some of them are of an earlier epoch: nothing is believed until they are drained. */
  carried: boolean;
  /** Version of the task's deletion. */
  deletedVersion?: number;
  /** Of the live records; may be earlier than any of them. */
  earliestExpiryMs?: number;
  readonly records: Map<string, CacheRecord>;
  /** By key: the op of the last entry that was postponed and waits behind newer ones. */
  readonly overtaken: Map<string, string>;
}

interface Index extends Mortal {
  /** Keys of live records with their creation times. */
  readonly scores: Map<string, number>;
}

interface Hash extends Readonly<Mortal> {
  readonly attachment: Attachment;
}

/** All that Redis keeps of one task. Any piece may be missing. */
export class TaskState {
  control?: Control;
  index?: Index;
  hashes = new Map<string, Hash>();

  constructor(private readonly ttlMs: number) {}

  /** Redis drops what has ended no later than when it is asked for it. */
  dropEnded(nowMs: number): void {
    if (this.control && this.control.endsAtMs <= nowMs) this.control = undefined;
    if (this.index && this.index.endsAtMs <= nowMs) this.index = undefined;
    for (const [key, hash] of this.hashes) if (hash.endsAtMs <= nowMs) this.hashes.delete(key);
  }

  /** The hash of a record, unless it has been lost or is a leftover. */
  bodyOf(key: string): Attachment | undefined {
    const attachment = this.hashes.get(key)?.attachment;
    return attachment?.op === this.control?.records.get(key)?.op ? attachment : undefined;
  }

  liveCount(): number {
    let count = 0;
    for (const { live } of this.control?.records.values() ?? []) if (live) count++;
    return count;
  }

  hasWholeIndex(control: Control, nowMs: number): boolean {
    if (!control.complete) return false;
    if (control.earliestExpiryMs !== undefined && control.earliestExpiryMs <= nowMs) return false;
    return (this.index?.scores.size ?? 0) === this.liveCount();
  }

  /** Without a body the record stays without a hash. */
  write(
    control: Control,
    attachment: Attachment,
    mark: Mark,
    { withBody }: { withBody: boolean },
    nowMs: number,
  ): void {
    const { key, version, op, expiresAtMs } = attachment;
    control.records.set(key, { version, op, mark, live: true, expiresAtMs });
    control.earliestExpiryMs = earlier(control.earliestExpiryMs, expiresAtMs);
    this.hashes.delete(key);
    if (withBody) this.writeHash(attachment, mark, nowMs);
    this.enterIndex(attachment, nowMs);
  }

  /** The hash of a journaled record is the only copy there is. */
  writeHash(attachment: Attachment, mark: Mark, nowMs: number): void {
    this.hashes.set(attachment.key, { attachment, endsAtMs: mark === 'journaled' ? Infinity : nowMs + this.ttlMs });
  }

  enterIndex({ key, createdAtMs }: Attachment, nowMs: number): void {
    this.index ??= { scores: new Map(), endsAtMs: nowMs + this.ttlMs };
    this.index.scores.set(key, createdAtMs);
  }

  remove(control: Control, key: string): void {
    control.records.delete(key);
    this.dropBody(key);
  }

  dropBody(key: string): void {
    this.hashes.delete(key);
    this.index?.scores.delete(key);
    if (this.index?.scores.size === 0) this.index = undefined;
  }

  wipe(control: Control, version: number): void {
    for (const key of control.records.keys()) this.remove(control, key);
    this.index = undefined;
    control.earliestExpiryMs = undefined;
    control.deletedVersion = version;
    forget(control, version);
  }

  renewLifetimes(nowMs: number): void {
    if (this.index) this.index.endsAtMs = nowMs + this.ttlMs;
    if (this.control) this.control.endsAtMs = this.control.undrained > 0 ? Infinity : nowMs + this.ttlMs;
  }

  /** What was learned in another epoch is not known in this one, but for what the journal has. */
  keepJournaled(control: Control, epoch: string, floor: number): void {
    this.index = undefined;
    if (control.undrained === 0) {
      this.control = undefined;
      return;
    }
    for (const [key, { mark }] of control.records) if (mark !== 'journaled') this.remove(control, key);
    const nothing = {
      organization: undefined,
      deletedVersion: undefined,
      earliestExpiryMs: undefined,
      spentToken: undefined,
    };
    Object.assign(control, nothing, { epoch, floor, complete: false, carried: true });
  }

  /** What ends later, ends at `endsAtMs`; what does not end by itself stays so. */
  shorten(endsAtMs: number): void {
    const closer = (endedAtMs: number) => (endedAtMs === Infinity ? Infinity : Math.min(endedAtMs, endsAtMs));
    if (this.control) this.control.endsAtMs = closer(this.control.endsAtMs);
    if (this.index) this.index.endsAtMs = closer(this.index.endsAtMs);
    for (const [key, hash] of this.hashes) this.hashes.set(key, { ...hash, endsAtMs: closer(hash.endsAtMs) });
  }

  clone(): TaskState {
    const copy = new TaskState(this.ttlMs);
    copy.control = this.control && {
      ...this.control,
      records: new Map(this.control.records),
      overtaken: new Map(this.control.overtaken),
    };
    copy.index = this.index && { ...this.index, scores: new Map(this.index.scores) };
    copy.hashes = new Map(this.hashes);
    return copy;
  }
}

/** Voids every token, and every put up to the version that is not here yet. */
export function raiseFloor(control: Control, version: number): void {
  control.floor = Math.max(control.floor + 1, version);
  if (control.floor === control.spentToken) control.floor += 1;
}

export function forget(control: Control, version: number): void {
  control.complete = false;
  raiseFloor(control, version);
}

export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}
