import type { Attachment, AttachmentRef } from '../../src/core/domain/attachment';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import type { AppliedChange } from '../../src/core/ports/attachment-cache';
import type { JournalEntry, JournaledWrite } from '../../src/core/ports/attachment-journal';
import { StoreError } from '../../src/core/ports/store-error';
import type { MemoryDatabase } from '../../src/outbound/memory/memory-database';
import type { OutboxRow } from '../../src/outbound/memory/memory-outbox-rows';
import { isTombstone } from '../../src/outbound/memory/stored-attachment';
import type { CacheModel } from '../support/cache-model/cache-model';
import { BusError } from './bus-error';
import { checkTask } from './redis-invariants';
import type { Timeline } from './timeline';

/** One attempt to write that has taken effect somewhere. */
export interface Change extends AttachmentRef {
  readonly op: string;
  readonly version: number;
  /** The operation, `op17`; undefined for an expiry. */
  readonly by?: string;
  /** Null for a deletion. */
  readonly attachment: Attachment | null;
  /** When the database had it, and as what transaction. */
  committedAtMs?: number;
  xid?: number;
  /** When the database found that something newer was there. */
  supersededAtMs?: number;
  journaledAtMs?: number;
  /** When Redis was told of it: it was applied, journaled or projected. */
  toldAtMs?: number;
  /** The same, of what Redis has not forgotten since by coming back with less than it had. */
  keptAtMs?: number;
  acknowledged?: { readonly by: string; readonly atMs: number; readonly degraded: boolean };
  /** Redis lost it before the database had it. */
  isLost?: boolean;
  /** The database that had it has been replaced by one that has not. */
  isAstray?: boolean;
  /** The database will never take it from the journal. */
  isRefused?: boolean;
}

/** The deletion of a task outdoes every change of its attachments. */
export interface TaskHistory {
  readonly taskId: string;
  readonly organization?: string;
  /** The nearest first. */
  readonly ancestors: readonly string[];
  readonly createdAtMs: number;
  deletedAtMs?: number;
  /** The operation that has deleted it, or that asked for the deletion of the tree of which it was a part. */
  deletedBy?: string;
  deletionXid?: number;
  toldAtMs?: number;
  keptAtMs?: number;
  acknowledged?: Change['acknowledged'];
}

export interface Violation {
  readonly atMs: number;
  readonly rule: string;
  readonly text: string;
}

/** A batch of events, each with its time-out. */
const MAX_PUBLISHING_MS = 4000;

/** All that has happened, as one sees it who sees everything; notices when it must not have happened. */
export class History {
  violation?: Violation;
  /** Operations that had no reason for a second attempt. */
  readonly writtenOnce = new Set<string>();
  readonly tasks = new Map<string, TaskHistory>();
  /** By task and key, in the order in which they took effect first. */
  readonly changes = new Map<string, Map<string, Map<string, Change>>>();
  /** In the order of their commits. */
  readonly commits = new Map<string, Map<string, Change[]>>();
  private readonly rowsByOp = new Map<string, OutboxRow>();
  /** Committed, and not projected. */
  private untold: Change[] = [];
  private readonly announced = new Map<string, { lastSeq: number; isDeleted: boolean }>();
  private readonly announcedOps = new Set<string>();
  private rowsSeen = 0;
  /** Of databases that are not the present one. */
  private readonly strayOps = new Set<string>();
  /** How often the database has been replaced. */
  replacements = 0;
  private replacedAtMs = -Infinity;
  /** Undefined until the present database has begun it. */
  presentEpoch: () => string | undefined = () => undefined;

  constructor(
    private readonly timeline: Timeline,
    /** No clock is further ahead of true time. */
    readonly maxSkewMs: number,
    private readonly trace?: (line: string) => void,
  ) {}

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  violate(rule: string, text: string): void {
    this.violation ??= { atMs: this.nowMs, rule, text };
    this.trace?.(`VIOLATION of ${rule}: ${text}`);
    this.timeline.stop();
  }

  changesOf({ taskId, key }: AttachmentRef): Iterable<Change> {
    return this.changes.get(taskId)?.get(key)?.values() ?? [];
  }

  commitsOf({ taskId, key }: AttachmentRef): readonly Change[] {
    return this.commits.get(taskId)?.get(key) ?? [];
  }

  change(ref: AttachmentRef, op: string): Change | undefined {
    return this.changes.get(ref.taskId)?.get(ref.key)?.get(op);
  }

  isRecorded(op: string): boolean {
    return this.rowsByOp.has(op);
  }

  isAnnounced(op: string): boolean {
    return this.announcedOps.has(op);
  }

  /** Takes note of what transactions have written since it was called last. */
  committed(database: MemoryDatabase): void {
    const rows = database.rows.all;
    for (; this.rowsSeen < rows.length; this.rowsSeen++) this.record(rows[this.rowsSeen] as OutboxRow, database);
  }

  /** What a database has that is not the present one, no client can rely on. */
  committedElsewhere(database: MemoryDatabase): void {
    for (const { op, taskId, key, version, event } of database.rows.all) {
      if (this.rowsByOp.has(op) || this.strayOps.has(op)) continue;
      this.strayOps.add(op);
      if (key === undefined || version === undefined) continue;
      const now = database.stored(taskId, key);
      const attachment = now?.op === op && !isTombstone(now) ? now : null;
      const change = this.known({ taskId, key, version, op, by: attachment?.content ?? authorOf(event), attachment });
      change.isAstray = true;
    }
  }

  /** The present database is another one from now on, with less than the one before. */
  replaced(database: MemoryDatabase, model: CacheModel): void {
    this.replacements += 1;
    this.replacedAtMs = this.nowMs;
    const rows = new Map(database.rows.all.map((row) => [row.op, row]));
    for (const op of this.rowsByOp.keys()) if (!rows.has(op)) this.strayOps.add(op);
    this.rowsByOp.clear();
    for (const [op, row] of rows) this.rowsByOp.set(op, row);
    this.rowsSeen = database.rows.all.length;
    this.announced.clear();
    this.untold = [];
    const waiting = new Set(model.journal.map(({ op }) => op));
    for (const change of this.allChanges()) this.carryOver(change, rows.get(change.op), waiting.has(change.op), model);
    for (const change of this.allChanges()) this.forgetOvertaken(change);
    this.commits.clear();
    this.tasks.clear();
    for (const row of database.rows.all) if (database.isTaken(row.taskId)) this.carryOverRow(row);
  }

  /** Whether Redis knows the present database: what it holds of another one is to be forgotten. */
  isOfPresent(model: CacheModel): boolean {
    return this.replacements === 0 || model.ownerFor('')?.epoch === this.presentEpoch();
  }

  journaled(write: JournaledWrite, model: CacheModel): void {
    const attachment = 'put' in write ? write.put.attachment : null;
    const { taskId, key } = 'put' in write ? write.put.attachment : write.deletion;
    const { version, op } = 'put' in write ? write.put.attachment : write.deletion.stamp;
    const by = 'put' in write ? write.put.attachment.content : authorOf(write.deletion.event);
    const change = this.known({ taskId, key, version, op, by, attachment });
    change.journaledAtMs ??= this.nowMs;
    // A server may have had it, and gone.
    change.isLost = undefined;
    this.tell(change);
    this.redisChanged(taskId, model);
  }

  settled(entry: JournalEntry, outcome: string, model: CacheModel): void {
    const change = this.change(entry.ref, entry.op);
    if (change && outcome === 'refused') change.isRefused = true;
    // Drained into a server that had been replaced, before any replica knew.
    else if (change && this.strayOps.has(entry.op) && !this.isOfPresent(model)) change.isLost = true;
    else if (!this.rowsByOp.has(entry.op)) {
      this.violate('invariant 2', `${entry.op} has left the journal, and the database does not have it`);
    }
    this.redisChanged(entry.ref.taskId, model);
  }

  applied({ taskId, key, stamp }: AppliedChange, model: CacheModel): void {
    const change = this.change({ taskId, key }, stamp.op);
    if (change?.isAstray) {
      this.forgottenMeanwhile(taskId, model);
      return this.redisChanged(taskId, model);
    }
    if (change?.committedAtMs === undefined)
      this.violate('invariant 2', `Redis is told of ${stamp.op}, which is nowhere`);
    else if (this.isOfPresent(model)) this.tell(change);
    this.redisChanged(taskId, model);
  }

  wiped(taskId: string, model: CacheModel): void {
    const task = this.tasks.get(taskId);
    if (task && this.isOfPresent(model)) this.tell(task);
    this.forgottenMeanwhile(taskId, model);
    this.redisChanged(taskId, model);
  }

  projected(model: CacheModel): void {
    if (!this.isOfPresent(model)) {
      for (const taskId of this.changes.keys()) this.forgottenMeanwhile(taskId, model);
      return;
    }
    const cursor = model.cursor ?? 0;
    const told = this.untold.filter((change) => isBelow(change.xid, cursor));
    const deleted = [...this.tasks.values()].filter(
      (task) => task.keptAtMs === undefined && isBelow(task.deletionXid, cursor),
    );
    if (told.length > 0) this.untold = this.untold.filter((change) => !isBelow(change.xid, cursor));
    for (const one of [...told, ...deleted]) this.tell(one);
    for (const taskId of new Set([...told, ...deleted].map((one) => one.taskId))) this.redisChanged(taskId, model);
  }

  /**
   * In the epoch that the present database has ended, Redis still learns of changes, and forgets the journaled writes
   * that they overtake. The present database has undone the changes: Redis knows of these writes again when they are
   * drained.
   */
  private forgottenMeanwhile(taskId: string, model: CacheModel): void {
    if (this.isOfPresent(model)) return;
    const records = model.dump(taskId).control?.records;
    for (const ofKey of this.changes.get(taskId)?.values() ?? []) {
      for (const change of ofKey.values()) {
        const isWaiting = change.journaledAtMs !== undefined && change.committedAtMs === undefined;
        if (isWaiting && records?.get(change.key)?.op !== change.op) change.keptAtMs = change.toldAtMs = undefined;
      }
    }
  }

  redisChanged(taskId: string, model: CacheModel): void {
    const problem = checkTask(this, taskId, model);
    if (problem) this.violate(problem.rule, problem.text);
  }

  redisWentBack(model: CacheModel): void {
    const cursor = this.isOfPresent(model) ? (model.cursor ?? 0) : 0;
    const kept = new Set([...model.journal, ...model.deadLetters].map(({ op }) => op));
    this.untold = [];
    for (const change of this.allChanges()) {
      const isInDatabase = change.committedAtMs !== undefined || change.supersededAtMs !== undefined;
      if (change.journaledAtMs !== undefined && !isInDatabase && !kept.has(change.op)) change.isLost = true;
      if (!isBelow(change.xid, cursor)) change.keptAtMs = undefined;
      if (change.keptAtMs === undefined && change.xid !== undefined) this.untold.push(change);
    }
    for (const task of this.tasks.values()) {
      if (!isBelow(task.deletionXid, cursor)) task.keptAtMs = undefined;
    }
  }

  *allChanges(): Iterable<Change> {
    for (const ofTask of this.changes.values()) for (const ofKey of ofTask.values()) yield* ofKey.values();
  }

  published(event: DomainEvent): void {
    const op = event.metadata.eventId;
    const row = this.rowsByOp.get(op);
    // If the present database has it later, by a restore or from the journal, it need not be published again.
    if (!row && this.strayOps.has(op)) return void this.announcedOps.add(op);
    if (!row) return this.violate('G5', `an event without a row is published: ${op}`);
    if (this.announcedOps.has(op)) return;
    this.announcedOps.add(op);
    // A publisher may still be at what it had read from the server before.
    if (this.nowMs - this.replacedAtMs < MAX_PUBLISHING_MS) return;
    const last = this.announced.get(row.taskId) ?? { lastSeq: 0, isDeleted: false };
    if (row.seq < last.lastSeq) this.violate('G5', `event ${row.seq} is published after ${last.lastSeq} of its task`);
    if (last.isDeleted) this.violate('G5', `event ${row.seq} of ${row.taskId} is published after the task's deletion`);
    this.announced.set(row.taskId, { lastSeq: row.seq, isDeleted: row.kind === 'task-deleted' });
  }

  jobFailed(replica: string, error: unknown): void {
    if (error instanceof StoreError || error instanceof BusError) return;
    this.violate('errors', `a job of ${replica} fails with ${String(error)} ${(error as Error).stack ?? ''}`);
  }

  private record(row: OutboxRow, database: MemoryDatabase): void {
    if (this.rowsByOp.has(row.op)) this.violate('invariant 1', `two rows have the op ${row.op}`);
    this.rowsByOp.set(row.op, row);
    const { taskId, kind } = row;
    if (kind === 'attachment') return this.recordChange(row, database);
    const task = this.tasks.get(taskId);
    const { organization, ancestors } = row;
    if (!task) this.tasks.set(taskId, { taskId, organization, ancestors, createdAtMs: this.nowMs });
    else if (ancestors.join() !== task.ancestors.join())
      this.violate('events', `an event of ${taskId} does not reach the followers of ${task.ancestors.join()}`);
    if (task && kind === 'task-deleted') {
      task.deletedAtMs = this.nowMs;
      task.deletedBy = authorOf(row.event);
      task.deletionXid = row.xid;
    }
  }

  private carryOverRow({ taskId, key, op, kind, superseded, organization, ancestors, event }: OutboxRow): void {
    const change = key === undefined ? undefined : this.change({ taskId, key }, op);
    if (change && !superseded) this.committedInOrder(change);
    const task = this.tasks.get(taskId);
    if (!task) this.tasks.set(taskId, { taskId, organization, ancestors, createdAtMs: this.nowMs });
    if (!task || kind !== 'task-deleted') return;
    task.deletedAtMs = this.nowMs;
    task.deletedBy = authorOf(event);
  }

  private committedInOrder(change: Change): Change | undefined {
    const ofTask = into(this.commits, change.taskId, () => new Map<string, Change[]>());
    const commits = into(ofTask, change.key, () => []);
    commits.push(change);
    return commits.at(-2);
  }

  private carryOver(change: Change, row: OutboxRow | undefined, isWaiting: boolean, model: CacheModel): void {
    const record = model.dump(change.taskId).control?.records.get(change.key);
    const isKept = record?.op === change.op && record.mark === 'journaled';
    change.xid = undefined;
    const was = change.committedAtMs ?? change.supersededAtMs;
    if (row) {
      change.committedAtMs = row.superseded ? undefined : (was ?? this.nowMs);
      change.supersededAtMs = row.superseded ? (was ?? this.nowMs) : undefined;
      change.isAstray = change.isLost = undefined;
    } else if (was !== undefined) {
      change.committedAtMs = change.supersededAtMs = undefined;
      change.isAstray = true;
      change.isLost ||= !isWaiting;
    }
    if (isKept) return;
    change.keptAtMs = undefined;
    change.toldAtMs = row ? this.nowMs : undefined;
    if (change.acknowledged) change.acknowledged = { ...change.acknowledged, by: '' };
  }

  /** A replica remembers its newest change of a key: if that is lost, it does not know of the one before. */
  private forgetOvertaken(change: Change): void {
    const isOvertaken = [...this.changesOf(change)].some(({ version, isLost }) => isLost && version > change.version);
    if (isOvertaken && change.acknowledged) change.acknowledged = { ...change.acknowledged, by: '' };
  }

  private recordChange(row: OutboxRow, database: MemoryDatabase): void {
    const { taskId, key, version, op, event, xid } = row as OutboxRow & { key: string; version: number };
    const stored = database.stored(taskId, key);
    const isPut = event.type === 'task.attachment_created';
    const attachment = isPut && stored?.op === op && !isTombstone(stored) ? stored : null;
    const change = this.known({ taskId, key, version, op, by: attachment?.content ?? authorOf(event), attachment });
    if (row.superseded) {
      change.supersededAtMs = this.nowMs;
      const standing = this.commitsOf(change).at(-1);
      // Two writers may get the same version; the version of an expiry is never a writer's.
      if (standing?.version === version && !standing.attachment && standing.by === undefined) {
        this.violate('G1', `${taskId}/${key} ${version} is lost against an expiry of the same version`);
      }
      return;
    }
    change.committedAtMs = this.nowMs;
    change.isAstray = undefined;
    change.xid = xid;
    this.untold.push(change);
    const last = this.committedInOrder(change);
    if (last && last.version >= version) {
      this.violate('invariant 1', `${taskId}/${key} goes from version ${last.version} to ${version}`);
    }
  }

  private tell(one: Change | TaskHistory): void {
    one.toldAtMs ??= this.nowMs;
    one.keptAtMs ??= this.nowMs;
  }

  private known(change: Change): Change {
    const ofTask = into(this.changes, change.taskId, () => new Map<string, Map<string, Change>>());
    return into(
      into(ofTask, change.key, () => new Map<string, Change>()),
      change.op,
      () => change,
    );
  }
}

function isBelow(xid: number | undefined, cursor: number): boolean {
  return xid !== undefined && xid < cursor;
}

/** Of a deletion. */
function authorOf({ metadata, payload }: DomainEvent): string | undefined {
  return (metadata.deletedBy ?? payload['deletedBy']) as string | undefined;
}

function into<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
