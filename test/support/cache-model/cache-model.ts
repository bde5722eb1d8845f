import {
  outlineOf,
  type Attachment,
  type AttachmentIdentity,
  type AttachmentRef,
} from '../../../src/core/domain/attachment';
import type {
  AppliedChange,
  CachedAttachment,
  CachedPage,
  CachedTask,
  CacheOwner,
  EpochClaim,
  EpochVerdict,
  Fill,
  JournaledChange,
  KnownChange,
  PageRequest,
} from '../../../src/core/ports/attachment-cache';
import { EPOCH_SILENCE_MS } from '../../../src/core/ports/attachment-cache';
import type {
  JournalEntry,
  JournalOutcome,
  ReadableEntry,
  SettledEntry,
  SettleOutcome,
  JournaledWrite,
} from '../../../src/core/ports/attachment-journal';
import type { OutboxChange } from '../../../src/core/ports/outbox';
import { earlier, forget, raiseFloor, TaskState, type CacheRecord, type Control } from './task-state';

const UNFILLED_TTL_MS = 60_000;
/** Redis bounds their bytes as well: here they are small. */
const MAX_OLDEST = 500;
const SKEW_MS = 100;

export interface CacheModelOptions {
  readonly ttlMs: number;
  /** The clock of Redis. */
  nowMs(): number;
  /** The version that Redis puts at the present moment, SKEW ahead. */
  newFloor(): number;
  /** At least the difference between any two clocks; that of Redis unless told otherwise. */
  readonly skewMs?: number;
}

/** Without the generation, which belongs to the connection. */
export type TaskAnswer = Omit<CachedTask, 'token'> & { readonly floor: number };
export type KeyAnswer = Pick<CachedAttachment, 'attachment' | 'deletedVersion' | 'journaled'>;
export type PageAnswer = TaskAnswer & Pick<CachedPage, 'page' | 'journaled'>;
export type AppendAnswer =
  | { readonly state: 'journaled'; readonly replaced?: AttachmentIdentity }
  | Exclude<JournalOutcome, { state: 'journaled' }>;

export interface JournalItem extends ReadableEntry {
  /** Id of the live attachment that the write has met. */
  readonly replacedId?: string;
}

export interface BuriedItem extends JournalItem {
  readonly reason: string;
}

export interface CacheSnapshot {
  readonly tasks: ReadonlyMap<string, TaskState>;
  readonly journal: readonly JournalItem[];
  readonly deadLetters: readonly BuriedItem[];
  readonly cursor?: number;
  readonly owner?: ModelOwner;
}

/** To whom all of this belongs. */
interface ModelOwner {
  readonly databaseId: string;
  readonly epoch: string;
  readonly ended: readonly string[];
  readonly markMs: number;
  readonly addresses: ReadonlySet<string>;
}

/**
 * What Redis holds and what each script does to it, atomically: the specification of the Lua scripts. Redis as a whole
 * is one part, 0, with one journal and one cursor.
 */
export class CacheModel {
  private tasks = new Map<string, TaskState>();
  journal: JournalItem[] = [];
  deadLetters: BuriedItem[] = [];
  /** The outbox position up to which everything here has been brought. */
  cursor?: number;
  private owner?: ModelOwner;

  constructor(private readonly options: CacheModelOptions) {}

  /** Without an owner, it is in the epoch without a name. */
  isIn(epoch: string): boolean {
    return epoch === (this.owner?.epoch ?? '');
  }

  ownerFor(address: string): CacheOwner | undefined {
    if (!this.owner) return undefined;
    const { databaseId, epoch, addresses } = this.owner;
    return { databaseId, epoch, isFamiliar: addresses.has(address) };
  }

  enter({ databaseId, epoch, ended }: EpochClaim, address: string): EpochVerdict {
    const { owner } = this;
    if (owner && owner.databaseId !== databaseId) return 'other-database';
    if (owner?.epoch !== epoch) {
      if (owner?.ended.includes(epoch)) return 'ended';
      const isAlive = owner && this.nowMs() - owner.markMs < EPOCH_SILENCE_MS;
      if (isAlive && !ended.has(owner.epoch)) return 'unknown';
      this.cursor = undefined;
    }
    const markMs = owner?.epoch === epoch ? owner.markMs : this.nowMs();
    const before = owner && owner.epoch !== epoch ? [...owner.ended, owner.epoch] : (owner?.ended ?? []);
    const addresses = new Set(owner?.addresses).add(address);
    this.owner = { databaseId, epoch, ended: before, markMs, addresses };
    return 'entered';
  }

  read(taskId: string, organization: string, keys: readonly string[]): TaskAnswer & { found: readonly KeyAnswer[] } {
    const task = this.task(taskId);
    const control = this.open(task);
    const found = keys.map((key) => (isForeign(control, organization) ? NOTHING : keyAnswer(task, control, key)));
    return { ...this.about(control), found };
  }

  readTask(taskId: string): TaskAnswer {
    return this.about(this.open(this.task(taskId)));
  }

  readPage({ taskId, organization, nowMs, page }: PageRequest): PageAnswer {
    const task = this.task(taskId);
    const control = this.open(task);
    const about = this.about(control);
    if (isForeign(control, organization)) return { ...about, journaled: [] };
    const entries = page && task.hasWholeIndex(control, nowMs) && holdsAll(control, page.known) && pageOf(task, page);
    const journaled = control.undrained === 0 ? [] : page ? undefined : journaledChanges(task, control);
    return { ...about, journaled, page: entries ? { totalCount: task.liveCount(), entries } : undefined };
  }

  /** Returns the version of the newer journaled write, if there is one. */
  apply({ taskId, key, stamp: { version, op }, attachment }: AppliedChange): number | undefined {
    const task = this.task(taskId);
    const { control } = task;
    if (!control || control.deletedVersion !== undefined) return undefined;
    const record = reliableRecord(task, control, key, version);
    if (record && record.version >= version) {
      return record.mark !== 'cached' && record.op !== op ? record.version : undefined;
    }
    if (!attachment) {
      task.remove(control, key);
      raiseFloor(control, version);
    } else if ((record && !isDrainedTombstone(record)) || version > control.floor) {
      task.write(control, attachment, 'cached', { withBody: true }, this.nowMs());
    } else {
      // Something newer may have been here and forgotten.
      forget(control, version);
    }
    task.renewLifetimes(this.nowMs());
    return undefined;
  }

  wipe(taskId: string, version: number): void {
    const task = this.task(taskId);
    if (!task.control) return;
    task.wipe(task.control, version);
    task.renewLifetimes(this.nowMs());
  }

  fill({ taskId, organization, token, attachments, withBodies, complete, isNewTask }: Fill): void {
    const task = this.task(taskId);
    const { control } = task;
    if (!control || control.deletedVersion !== undefined || control.floor !== token.floor) return;
    const isNew = isNewTask && complete && control.organization === undefined;
    control.organization = organization;
    for (const attachment of attachments) this.fillIn(task, control, attachment, withBodies);
    if (complete) this.complete(task, control, token.floor);
    if (isNew && control.floor === token.floor) {
      control.spentToken = token.floor;
      control.floor = 0;
    }
    task.renewLifetimes(this.nowMs());
  }

  append(write: JournaledWrite, nowMs: number): AppendAnswer {
    const { ref, version, op } = describe(write);
    const task = this.task(ref.taskId);
    const { control } = task;
    if (!control || control.organization !== write.organization) return { state: 'unknown' };
    if (control.deletedVersion !== undefined) return { state: 'task-missing' };
    const record = control.records.get(ref.key);
    const isKnown = record !== undefined && !isDrainedTombstone(record);
    const standing = isKnown ? record.version : Math.max(record?.version ?? 0, control.floor);
    if (version <= standing) return { state: 'superseded', version: standing };
    const isLive = record?.live === true && (record.expiresAtMs === undefined || record.expiresAtMs > nowMs);
    if ('deletion' in write && !isLive) return { state: 'unknown' };

    const replaced = isLive ? identityOf(task.bodyOf(ref.key)) : undefined;
    if ('put' in write) {
      const attachment = { ...write.put.attachment, ...replaced };
      task.write(control, attachment, 'journaled', { withBody: true }, this.nowMs());
    } else {
      control.records.set(ref.key, { version, op, mark: 'journaled', live: false });
      task.dropBody(ref.key);
    }
    control.undrained += 1;
    this.journal.push({ ref, op, write, replacedId: replaced?.id });
    task.renewLifetimes(this.nowMs());
    return { state: 'journaled', replaced };
  }

  oldest(): readonly JournalItem[] {
    return this.journal.slice(0, MAX_OLDEST);
  }

  /** How many were settled: up to the first that is not at the head. */
  settle(settled: readonly SettledEntry[]): number {
    const end = settled.findIndex(({ entry, outcome }) => !this.settleHead(entry, outcome));
    return end < 0 ? settled.length : end;
  }

  private settleHead({ ref: { taskId, key }, op }: JournalEntry, outcome: SettleOutcome): boolean {
    const { state } = outcome;
    const head = this.journal[0];
    if (head?.op !== op) return false;
    this.journal.shift();
    const task = this.task(taskId);
    const { control } = task;
    const record = control?.records.get(key);
    const isNewest = record?.op === op;
    if (state === 'postponed' || (state === 'refused' && isNewest && control?.overtaken.has(key))) {
      this.journal.push(head);
      if (record && !isNewest) control?.overtaken.set(key, op);
      return true;
    }
    if (state === 'refused') this.deadLetters.push({ ...head, reason: outcome.reason });
    if (!control) return true;
    control.undrained = Math.max(control.undrained - 1, 0);
    const isOutdated = state === 'refused' || (state === 'superseded' && control.carried);
    if (control.undrained === 0) control.carried = false;
    if (control.overtaken.get(key) === op) control.overtaken.delete(key);
    if (isNewest && isOutdated) {
      task.remove(control, key);
      forget(control, record.version);
    } else if (isNewest) {
      this.drained(task, control, key, 'identity' in outcome ? outcome.identity : undefined);
    }
    task.renewLifetimes(this.nowMs());
    return true;
  }

  /** Does nothing if the cursor is no longer at `from`. */
  project(from: number | undefined, to: number, changes: readonly OutboxChange[]): void {
    if (this.cursor !== from) return;
    for (const change of changes) {
      const task = this.task(change.taskId);
      if (!task.control || task.control.deletedVersion !== undefined) continue;
      if (change.kind === 'task-deleted') task.wipe(task.control, change.version);
      else invalidate(task, task.control, change);
    }
    this.cursor = to;
    if (this.owner) this.owner = { ...this.owner, markMs: this.nowMs() };
  }

  evictControl(taskId: string): void {
    const task = this.task(taskId);
    if (task.control && task.control.endsAtMs < Infinity) task.control = undefined;
  }

  evictIndex(taskId: string): void {
    this.task(taskId).index = undefined;
  }

  evictIndexEntry(taskId: string, key: string): void {
    const task = this.task(taskId);
    task.index?.scores.delete(key);
    if (task.index?.scores.size === 0) task.index = undefined;
  }

  evictHash(taskId: string, key: string): void {
    const { hashes } = this.task(taskId);
    if ((hashes.get(key)?.endsAtMs ?? 0) < Infinity) hashes.delete(key);
  }

  /** As a Redis without its files comes back. */
  clear(): void {
    this.restore({ tasks: new Map(), journal: [], deadLetters: [] });
  }

  snapshot(): CacheSnapshot {
    const { journal, deadLetters, cursor, owner } = this;
    return { tasks: cloneAll(this.tasks), journal: [...journal], deadLetters: [...deadLetters], cursor, owner };
  }

  restore({ tasks, journal, deadLetters, cursor, owner }: CacheSnapshot): void {
    this.tasks = cloneAll(tasks);
    this.journal = [...journal];
    this.deadLetters = [...deadLetters];
    this.cursor = cursor;
    this.owner = owner;
  }

  /** What is kept of one task, to be read at once and not to be changed. */
  dump(taskId: string): TaskState {
    return this.task(taskId);
  }

  private task(taskId: string): TaskState {
    let task = this.tasks.get(taskId);
    if (!task) {
      task = new TaskState(this.options.ttlMs);
      this.tasks.set(taskId, task);
    }
    task.dropEnded(this.nowMs());
    const epoch = this.owner?.epoch ?? '';
    if (task.control && task.control.epoch !== epoch) task.keepJournaled(task.control, epoch, this.options.newFloor());
    return task;
  }

  /** What is not known any more may have been committed up to now; an index that outlived its control is worthless. */
  private open(task: TaskState): Control {
    if (!task.control) {
      const endsAtMs = this.nowMs() + UNFILLED_TTL_MS;
      const nothing = { complete: false, undrained: 0, carried: false, records: new Map(), overtaken: new Map() };
      task.control = { ...nothing, epoch: this.owner?.epoch ?? '', floor: this.options.newFloor(), endsAtMs };
      task.index = undefined;
    }
    return task.control;
  }

  private about({ floor, deletedVersion, organization, carried }: Control): TaskAnswer {
    const cursor = carried ? 0 : (this.cursor ?? 0);
    return { floor, deleted: deletedVersion !== undefined, organization, cursor };
  }

  private fillIn(task: TaskState, control: Control, attachment: Attachment, withBody: boolean): void {
    const record = control.records.get(attachment.key);
    if (!record || attachment.version > record.version) {
      task.write(control, attachment, 'cached', { withBody }, this.nowMs());
    } else if (attachment.version < record.version) {
      reliableRecord(task, control, attachment.key, attachment.version);
    } else if (record.live && attachment.op === record.op && attachment.expiresAtMs === record.expiresAtMs) {
      // Body and index entry may have been lost since the record was made.
      if (withBody) task.writeHash(attachment, record.mark, this.nowMs());
      task.enterIndex(attachment, this.nowMs());
    } else if (record.mark !== 'journaled' || control.undrained === 0) {
      // The store has but one write of a version.
      task.write(control, attachment, record.mark === 'drained' ? 'drained' : 'cached', { withBody }, this.nowMs());
    }
  }

  /**
   * What has expired was not among the attachments and must not count any more; within the skew it may have been. A
   * record that had to be forgotten may have been newer than what was filled.
   */
  private complete(task: TaskState, control: Control, tokenFloor: number): void {
    const isWhole = control.floor === tokenFloor;
    const longExpiredMs = this.nowMs() - (this.options.skewMs ?? SKEW_MS);
    let newestExpired: number | undefined;
    let earliestExpiryMs: number | undefined;
    for (const [key, { mark, live, expiresAtMs, version }] of control.records) {
      if (mark === 'cached' && expiresAtMs !== undefined && expiresAtMs <= longExpiredMs) {
        task.remove(control, key);
        newestExpired = Math.max(newestExpired ?? 0, version);
      } else if (live) {
        earliestExpiryMs = earlier(earliestExpiryMs, expiresAtMs);
      }
    }
    if (newestExpired !== undefined) raiseFloor(control, newestExpired);
    if (!isWhole) return;
    control.earliestExpiryMs = earliestExpiryMs;
    control.complete = true;
    if ((task.index?.scores.size ?? 0) !== task.liveCount()) makeIndexAnew(task, control);
  }

  private drained(task: TaskState, control: Control, key: string, identity: AttachmentIdentity | undefined): void {
    const record = control.records.get(key) as CacheRecord;
    control.records.set(key, { ...record, mark: 'drained' });
    const body = record.live ? task.bodyOf(key) : undefined;
    if (!body) return;
    const attachment = { ...body, ...identityOf(identity) };
    task.writeHash(attachment, 'drained', this.nowMs());
    if (identity) task.enterIndex(attachment, this.nowMs());
  }

  private nowMs(): number {
    return this.options.nowMs();
  }
}

const NOTHING: KeyAnswer = { attachment: undefined, journaled: false };

function isForeign(control: Control, organization: string): boolean {
  return control.organization !== undefined && control.organization !== organization;
}

/** Counts as no record, except that its version is the stored version. */
function isDrainedTombstone({ live, mark }: CacheRecord): boolean {
  return !live && mark === 'drained';
}

function keyAnswer(task: TaskState, control: Control, key: string): KeyAnswer {
  const record = control.records.get(key);
  const journaled = record?.mark === 'journaled';
  if (!record?.live) return journaled ? { deletedVersion: record?.version, journaled } : NOTHING;
  const attachment = task.bodyOf(key);
  return attachment ? { attachment, journaled } : NOTHING;
}

function holdsAll({ records }: Control, known: readonly KnownChange[]): boolean {
  return known.every(({ key, version, deleted }) => {
    const record = records.get(key);
    if (deleted) return !record?.live || record.version >= version;
    return record !== undefined && !isDrainedTombstone(record) && record.version >= version;
  });
}

/** Undefined, and without its index, if the index has a key that is not live. */
function pageOf(task: TaskState, { limit, offset, descending, includeBodies }: NonNullable<PageRequest['page']>) {
  const keys = [...(task.index?.scores ?? [])].sort(byScoreAndKey).map(([key]) => key);
  if (descending) keys.reverse();
  const listed = keys.slice(offset, offset + limit);
  if (!listed.every((key) => task.control?.records.get(key)?.live)) {
    task.index = undefined;
    return undefined;
  }
  return listed.map((key) => {
    const body = task.bodyOf(key);
    return { key, attachment: body && !includeBodies ? outlineOf(body) : body };
  });
}

function byScoreAndKey([a, scoreA]: [string, number], [b, scoreB]: [string, number]): number {
  return scoreA - scoreB || Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function journaledChanges(task: TaskState, control: Control): JournaledChange[] {
  return [...control.records].flatMap(([key, { version, mark, live }]) => {
    const body = live ? task.bodyOf(key) : null;
    if (mark !== 'journaled' || body === undefined) return [];
    return [{ key, version, attachment: body && outlineOf(body) }];
  });
}

function describe(write: JournaledWrite): { ref: AttachmentRef; version: number; op: string } {
  const { taskId, key, version, op } =
    'put' in write ? write.put.attachment : { ...write.deletion, ...write.deletion.stamp };
  return { ref: { taskId, key }, version, op };
}

function identityOf(of: AttachmentIdentity | undefined): AttachmentIdentity | undefined {
  return of && { id: of.id, createdAtMs: of.createdAtMs, createdBy: of.createdBy };
}

/** That which a write of this version meets. What is cached without a body may have any version: it is forgotten. */
function reliableRecord(task: TaskState, control: Control, key: string, version: number): CacheRecord | undefined {
  const record = control.records.get(key);
  if (record?.mark !== 'cached' || record.version <= version || task.bodyOf(key)) return record;
  task.remove(control, key);
  forget(control, record.version);
  return undefined;
}

/** The next complete fill enters all that there is. */
function makeIndexAnew(task: TaskState, control: Control): void {
  let newest: number | undefined;
  for (const [key, { live, mark, version }] of control.records) {
    if (!live || mark === 'journaled' || task.index?.scores.has(key)) continue;
    task.remove(control, key);
    newest = Math.max(newest ?? 0, version);
  }
  if (newest !== undefined) forget(control, newest);
  task.index = undefined;
}

/** Only ever makes the cache know less. */
function invalidate(task: TaskState, control: Control, row: OutboxChange & { kind: 'attachment' }): void {
  const { key, version, op, deleted } = row;
  const record = reliableRecord(task, control, key, version);
  if (record && (record.version > version || (record.version === version && record.op === op))) return;
  task.remove(control, key);
  if (record || !deleted) forget(control, version);
  else raiseFloor(control, version);
}

function cloneAll(tasks: ReadonlyMap<string, TaskState>): Map<string, TaskState> {
  return new Map([...tasks].map(([taskId, task]) => [taskId, task.clone()]));
}
