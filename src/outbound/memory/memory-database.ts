import { isLive, type Attachment, type AttachmentRef, type ExpiredAttachment } from '../../core/domain/attachment';
import { attachmentExpired, ofStored, type DomainEvent } from '../../core/domain/domain-event';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import type { Task } from '../../core/domain/task';
import { expiryStamp } from '../../core/domain/version';
import type { DeleteOutcome, PutOutcome, WriteCondition, WriteRefusal } from '../../core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut, JournaledState } from '../../core/ports/attachment-write';
import type { Clock } from '../../core/ports/clock';
import { FOLLOWED_LEVELS } from '../../core/ports/outbox';
import { MemoryHistory } from './memory-history';
import { MemoryOutboxRows, type OutboxRow } from './memory-outbox-rows';
import { MemoryTransactions } from './memory-transactions';
import { MemoryTreeDeletions } from './memory-tree-deletions';
import { conditionRefusal, identityOf, isTombstone, type Tombstone } from './stored-attachment';

type Change = Pick<OutboxRow, 'taskId' | 'event' | 'kind' | 'key' | 'version'>;

/**
 * The database that the memory stores share. A transaction writes everything at its commit and may stay open while
 * others commit, as in PostgreSQL. Stored values are immutable and never copied.
 */
export class MemoryDatabase extends MemoryTransactions {
  rows = new MemoryOutboxRows();
  history: MemoryHistory;
  private tasks = new Map<string, Task | 'deleted'>();
  /** By task: what it was created with, and the result that it was updated with. */
  creations = new Map<string, string>();
  results = new Map<string, string>();
  treeDeletions = new MemoryTreeDeletions();
  private attachments = new Map<string, Map<string, Attachment | Tombstone>>();

  /** Without a clock, every change is recorded with the time of its event. */
  constructor(
    private readonly clock?: Pick<Clock, 'nowMs'>,
    databaseId = 'database-1',
  ) {
    super();
    this.history = new MemoryHistory(databaseId);
  }

  /** What is committed, as a backup has it. */
  copy(clock = this.clock): MemoryDatabase {
    const copy = new MemoryDatabase(clock);
    copy.rows = this.rows.copy();
    copy.history = this.history.copy();
    copy.nextXid = this.nextXid;
    copy.tasks = new Map(this.tasks);
    copy.creations = new Map(this.creations);
    copy.results = new Map(this.results);
    copy.treeDeletions = this.treeDeletions.copy();
    copy.attachments = new Map([...this.attachments].map(([taskId, ofTask]) => [taskId, new Map(ofTask)]));
    return copy;
  }

  /** In a cluster that begins to count its transactions there. */
  moveTo(server: string, xid: number): void {
    this.history.server = server;
    this.nextXid = xid;
  }

  get nowMs(): number {
    return this.clock?.nowMs() ?? 0;
  }

  get events(): readonly DomainEvent[] {
    return this.rows.all.map(({ event }) => event);
  }

  /** Each op is recorded once. */
  record(change: Change, { superseded = false, published = false } = {}): void {
    if (this.committing === undefined) throw new Error('a change is recorded by a transaction that commits');
    const { taskId, event } = change;
    this.rows.add({
      ...change,
      xid: this.committing,
      op: event.metadata.eventId,
      organization: published ? undefined : this.task(taskId)?.organization,
      ancestors: published ? [] : this.ancestorsOf(taskId),
      superseded,
      published,
      atMs: this.clock?.nowMs() ?? event.timestamp,
    });
  }

  recordOfTask(taskId: string, event: DomainEvent): void {
    this.record({ taskId, event, kind: 'task' });
  }

  isDeleted(taskId: string): boolean {
    return this.tasks.get(taskId) === 'deleted';
  }

  /** Whether a task has ever had this id. */
  isTaken(taskId: string): boolean {
    return this.tasks.has(taskId);
  }

  /** Undefined if the task is deleted or belongs to another organisation than the given one. */
  task(taskId: string, organization?: string): Task | undefined {
    const task = this.tasks.get(taskId);
    if (task === undefined || task === 'deleted') return undefined;
    return organization === undefined || task.organization === organization ? task : undefined;
  }

  /** Parents come before their children. */
  liveTasks(): Task[] {
    return [...this.tasks.values()].filter((task) => task !== 'deleted');
  }

  storeTask(task: Task): void {
    this.tasks.set(task.id, task);
  }

  deleteTask(taskId: string): void {
    this.tasks.set(taskId, 'deleted');
    this.creations.delete(taskId);
    this.results.delete(taskId);
    this.attachments.delete(taskId);
  }

  /** Without tombstones; expired attachments count. */
  attachmentCount(taskId: string): number {
    return this.storedOf(taskId).filter((one) => !isTombstone(one)).length;
  }

  /** Includes tombstones and expired attachments. */
  stored(taskId: string, key: string): Attachment | Tombstone | undefined {
    return this.attachments.get(taskId)?.get(key);
  }

  liveAttachment(taskId: string, key: string, nowMs: number): Attachment | undefined {
    const stored = this.stored(taskId, key);
    return stored && !isTombstone(stored) && isLive(stored, nowMs) ? stored : undefined;
  }

  liveAttachments(taskId: string, nowMs: number): Attachment[] {
    return this.storedOf(taskId).filter((one): one is Attachment => !isTombstone(one) && isLive(one, nowMs));
  }

  put(
    { attachment, event, over }: AttachmentPut,
    condition: WriteCondition,
    nowMs: number,
    maxAttachments = MAX_ATTACHMENTS_PER_TASK,
  ): PutOutcome {
    const { taskId, key, version } = attachment;
    const live = this.standing(attachment, over, nowMs);
    const isCounted = live !== undefined || this.liveAttachment(taskId, key, nowMs) !== undefined;
    const refusal =
      conditionRefusal(condition, live) ??
      this.versionRefusal(attachment, version, over) ??
      (isCounted ? undefined : this.limitRefusal(taskId, nowMs, maxAttachments));
    if (refusal) return refusal;

    const identity = identityOf(live ?? attachment);
    this.recordExpiry(this.stored(taskId, key), nowMs);
    this.store({ ...attachment, ...identity });
    this.record({ taskId, key, version, kind: 'attachment', event: live ? ofStored(event, live.id) : event });
    return { state: 'applied', identity, replaced: live !== undefined };
  }

  /** `isDrained`: leaves a tombstone even if there is no live attachment, so that nothing older can come back. */
  delete(deletion: AttachmentDeletion, condition: WriteCondition, nowMs: number, isDrained = false): DeleteOutcome {
    const { taskId, key, stamp, over, event } = deletion;
    const live = this.standing(deletion, over, nowMs);
    const conditionFailed = conditionRefusal(condition, live);
    if (conditionFailed) return conditionFailed;
    if (!live && !isDrained) return { state: 'attachment-missing' };
    const refusal = this.versionRefusal({ taskId, key }, stamp.version, over);
    if (refusal) return refusal;

    this.recordExpiry(this.stored(taskId, key), nowMs);
    this.store({ taskId, key, ...stamp, deleted: true });
    const announced = live ? ofStored(event, live.id) : event;
    this.record({ taskId, key, version: stamp.version, kind: 'attachment', event: announced });
    return { state: 'applied', attachmentId: live?.id };
  }

  expired(nowMs: number): ExpiredAttachment[] {
    const stored = [...this.attachments.keys()].flatMap((taskId) => this.storedOf(taskId));
    return stored.filter((one): one is ExpiredAttachment & Attachment => !isTombstone(one) && !isLive(one, nowMs));
  }

  /** Returns false if that version is no longer stored. */
  removeExpired({ taskId, key, version }: ExpiredAttachment): boolean {
    const stored = this.stored(taskId, key);
    if (!stored || isTombstone(stored) || stored.version !== version) return false;
    this.recordExpiry(stored, Infinity);
    this.store({ taskId, key, ...expiryStamp(stored), deleted: true });
    return true;
  }

  /** Returns the number of purged tombstones. */
  purgeTombstones(belowVersion: number, limit: number): number {
    const stored = [...this.attachments.keys()].flatMap((taskId) => this.storedOf(taskId));
    const purged = stored.filter((one) => isTombstone(one) && one.version < belowVersion).slice(0, limit);
    for (const { taskId, key } of purged) this.attachments.get(taskId)?.delete(key);
    return purged.length;
  }

  private storedOf(taskId: string): (Attachment | Tombstone)[] {
    return [...(this.attachments.get(taskId)?.values() ?? [])];
  }

  /** The live attachment by which a write is judged. */
  private standing(ref: AttachmentRef, over: JournaledState | undefined, nowMs: number): Attachment | undefined {
    const isNewer = over !== undefined && over.version > (this.stored(ref.taskId, ref.key)?.version ?? 0);
    if (!isNewer) return this.liveAttachment(ref.taskId, ref.key, nowMs);
    return over.attachment && isLive(over.attachment, nowMs) ? over.attachment : undefined;
  }

  /** If what is about to be replaced has expired, its expiry is recorded. */
  private recordExpiry(replaced: Attachment | Tombstone | undefined, nowMs: number): void {
    if (!replaced || isTombstone(replaced) || isLive(replaced, nowMs)) return;
    const { taskId, key } = replaced;
    const { version } = expiryStamp(replaced);
    this.record({ taskId, key, version, kind: 'attachment', event: attachmentExpired(replaced as ExpiredAttachment) });
  }

  private store(stored: Attachment | Tombstone): void {
    const ofTask = this.attachments.get(stored.taskId) ?? new Map<string, Attachment | Tombstone>();
    this.attachments.set(stored.taskId, ofTask.set(stored.key, stored));
  }

  /** The nearest first. */
  ancestorsOf(taskId: string): string[] {
    const ancestors: string[] = [];
    for (let above = this.task(taskId)?.parentId; above && ancestors.length < FOLLOWED_LEVELS;) {
      ancestors.push(above);
      if (this.isDeleted(above)) ancestors.push(...this.treeDeletions.ancestorsOf(above));
      above = this.task(above)?.parentId;
    }
    return ancestors.slice(0, FOLLOWED_LEVELS);
  }

  private versionRefusal(
    { taskId, key }: AttachmentRef,
    version: number,
    over: JournaledState | undefined,
  ): WriteRefusal | undefined {
    const standing = Math.max(this.stored(taskId, key)?.version ?? 0, over?.version ?? 0);
    return standing >= version ? { state: 'superseded', version: standing } : undefined;
  }

  private limitRefusal(taskId: string, nowMs: number, limit: number): WriteRefusal | undefined {
    const stored = this.attachments.get(taskId)?.size ?? 0;
    if (stored < limit || this.liveAttachments(taskId, nowMs).length < limit) return undefined;
    return { state: 'task-full' };
  }
}
