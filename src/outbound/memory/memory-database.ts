import {
  isLive,
  type Attachment,
  type AttachmentIdentity,
  type AttachmentRef,
  type ExpiredAttachment,
} from '../../core/domain/attachment';
import { attachmentExpired, ofStored, type DomainEvent } from '../../core/domain/domain-event';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import type { Task } from '../../core/domain/task';
import { expiryStamp, type WriteStamp } from '../../core/domain/version';
import type { DeleteOutcome, PutOutcome, WriteCondition, WriteRefusal } from '../../core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut } from '../../core/ports/attachment-write';
import type { Clock } from '../../core/ports/clock';
import { MemoryOutboxRows, type OutboxRow } from './memory-outbox-rows';

/** What is left of a deleted attachment: it orders writes that arrive late. */
interface Tombstone extends AttachmentRef, WriteStamp {
  readonly deleted: true;
}

type Change = Pick<OutboxRow, 'taskId' | 'event' | 'kind' | 'key' | 'version'>;

/**
 * What the memory stores share: a database whose transactions write all they write when they commit, and can be under
 * way while others commit, as PostgreSQL's can. What is stored is immutable and never copied.
 */
export class MemoryDatabase {
  readonly rows = new MemoryOutboxRows();
  private readonly tasks = new Map<string, Task | 'deleted'>();
  private readonly attachments = new Map<string, Map<string, Attachment | Tombstone>>();
  private readonly underWay = new Set<number>();
  private nextXid = 1;
  private committing?: number;

  /** Without a clock, every change is recorded as if at the time of its event. */
  constructor(private readonly clock?: Pick<Clock, 'nowMs'>) {}

  /** In the order in which they are to be announced. */
  get outbox(): readonly OutboxRow[] {
    return this.rows.all;
  }

  get events(): readonly DomainEvent[] {
    return this.outbox.map(({ event }) => event);
  }

  /** No transaction below it is under way, nor will be. */
  get xmin(): number {
    const [lowest] = this.underWay;
    return lowest ?? this.nextXid;
  }

  /** Every transaction that has begun is below it. */
  get xmax(): number {
    return this.nextXid;
  }

  /** Begins a transaction: it counts as under way until it commits, if only to do nothing. */
  begin(): number {
    this.underWay.add(this.nextXid);
    return this.nextXid++;
  }

  /** `work` writes at once, not after anything that it waits for; calls of the stores in it belong to the transaction. */
  commit<T>(xid: number, work: () => T): T {
    this.committing = xid;
    try {
      return work();
    } finally {
      this.committing = undefined;
      this.underWay.delete(xid);
    }
  }

  /** In the transaction that is committing, otherwise in one of its own. */
  transaction<T>(work: () => T): T {
    return this.committing === undefined ? this.commit(this.begin(), work) : work();
  }

  /** Once for each op. */
  record(change: Change, { superseded = false, published = false } = {}): void {
    if (this.committing === undefined) throw new Error('a change is recorded by a transaction that commits');
    const { taskId, event } = change;
    this.rows.add({
      ...change,
      xid: this.committing,
      op: event.metadata.eventId,
      organization: published ? undefined : this.task(taskId)?.organization,
      superseded,
      published,
      atMs: this.clock?.nowMs() ?? event.timestamp,
    });
  }

  recordOfTask(taskId: string, event: DomainEvent): void {
    this.record({ taskId, event, kind: 'task' });
  }

  forgetEvents(forgotten: ReadonlySet<OutboxRow>): void {
    this.rows.forget(forgotten);
  }

  /** Whether the id was ever given to a task. */
  isTaken(taskId: string): boolean {
    return this.tasks.has(taskId);
  }

  /** Undefined where it is deleted, or of another organisation than the one given. */
  task(taskId: string, organization?: string): Task | undefined {
    const task = this.tasks.get(taskId);
    if (task === undefined || task === 'deleted') return undefined;
    return organization === undefined || task.organization === organization ? task : undefined;
  }

  /** Parents before their children. */
  liveTasks(): Task[] {
    return [...this.tasks.values()].filter((task) => task !== 'deleted');
  }

  storeTask(task: Task): void {
    this.tasks.set(task.id, task);
  }

  deleteTask(taskId: string): void {
    this.tasks.set(taskId, 'deleted');
    this.attachments.delete(taskId);
  }

  /** Tombstones and what has expired included. */
  stored(taskId: string, key: string): Attachment | Tombstone | undefined {
    return this.attachments.get(taskId)?.get(key);
  }

  liveAttachment(taskId: string, key: string, nowMs: number): Attachment | undefined {
    const stored = this.stored(taskId, key);
    return stored && !isTombstone(stored) && isLive(stored, nowMs) ? stored : undefined;
  }

  liveAttachments(taskId: string, nowMs: number): Attachment[] {
    const stored = [...(this.attachments.get(taskId)?.values() ?? [])];
    return stored.filter((one): one is Attachment => !isTombstone(one) && isLive(one, nowMs));
  }

  put(
    { attachment, event }: AttachmentPut,
    condition: WriteCondition,
    nowMs: number,
    maxAttachments = MAX_ATTACHMENTS_PER_TASK,
  ): PutOutcome {
    const { taskId, key, version } = attachment;
    const live = this.liveAttachment(taskId, key, nowMs);
    const refusal =
      conditionRefusal(condition, live) ??
      this.versionRefusal(attachment, version) ??
      (live ? undefined : this.limitRefusal(taskId, nowMs, maxAttachments));
    if (refusal) return refusal;

    const identity = identityOf(live ?? attachment);
    if (!live) this.recordExpiry(this.stored(taskId, key));
    this.store({ ...attachment, ...identity });
    this.record({ taskId, key, version, kind: 'attachment', event: live ? ofStored(event, live.id) : event });
    return { state: 'applied', identity, replaced: live !== undefined };
  }

  delete({ taskId, key, stamp, force, event }: AttachmentDeletion, nowMs: number): DeleteOutcome {
    const live = this.liveAttachment(taskId, key, nowMs);
    if (!live && !force) return { state: 'attachment-missing' };
    const refusal = this.versionRefusal({ taskId, key }, stamp.version);
    if (refusal) return refusal;

    if (!live) this.recordExpiry(this.stored(taskId, key));
    this.store({ taskId, key, ...stamp, deleted: true });
    const announced = live ? ofStored(event, live.id) : event;
    this.record({ taskId, key, version: stamp.version, kind: 'attachment', event: announced });
    return { state: 'applied', attachmentId: live?.id };
  }

  expired(nowMs: number): ExpiredAttachment[] {
    const stored = [...this.attachments.values()].flatMap((ofTask) => [...ofTask.values()]);
    return stored.filter((one): one is ExpiredAttachment & Attachment => !isTombstone(one) && !isLive(one, nowMs));
  }

  /** False where that version is no longer there. */
  removeExpired({ taskId, key, version }: ExpiredAttachment): boolean {
    const stored = this.stored(taskId, key);
    if (!stored || isTombstone(stored) || stored.version !== version) return false;
    this.recordExpiry(stored);
    this.store({ taskId, key, ...expiryStamp(stored), deleted: true });
    return true;
  }

  /** Returns how many. */
  purgeTombstones(belowVersion: number, limit: number): number {
    const stored = [...this.attachments.values()].flatMap((ofTask) => [...ofTask.values()]);
    const purged = stored.filter((one) => isTombstone(one) && one.version < belowVersion).slice(0, limit);
    for (const { taskId, key } of purged) this.attachments.get(taskId)?.delete(key);
    return purged.length;
  }

  /** Of what is about to be replaced and, not being alive, is either expired or a tombstone. */
  private recordExpiry(replaced: Attachment | Tombstone | undefined): void {
    if (!replaced || isTombstone(replaced)) return;
    const { taskId, key } = replaced;
    const { version } = expiryStamp(replaced);
    this.record({ taskId, key, version, kind: 'attachment', event: attachmentExpired(replaced as ExpiredAttachment) });
  }

  private store(stored: Attachment | Tombstone): void {
    const ofTask = this.attachments.get(stored.taskId) ?? new Map<string, Attachment | Tombstone>();
    this.attachments.set(stored.taskId, ofTask.set(stored.key, stored));
  }

  private versionRefusal({ taskId, key }: AttachmentRef, version: number): WriteRefusal | undefined {
    const stored = this.stored(taskId, key);
    return stored && stored.version >= version ? { state: 'superseded', version: stored.version } : undefined;
  }

  private limitRefusal(taskId: string, nowMs: number, limit: number): WriteRefusal | undefined {
    const stored = this.attachments.get(taskId)?.size ?? 0;
    if (stored < limit || this.liveAttachments(taskId, nowMs).length < limit) return undefined;
    return { state: 'task-full' };
  }
}

export function identityOf({ id, createdAtMs, createdBy }: Attachment): AttachmentIdentity {
  return { id, createdAtMs, createdBy };
}

export function isTombstone(stored: Attachment | Tombstone): stored is Tombstone {
  return 'deleted' in stored;
}

function conditionRefusal(condition: WriteCondition, live: Attachment | undefined): WriteRefusal | undefined {
  if (!condition) return undefined;
  const holds = 'ifAbsent' in condition ? !live : live?.version === condition.ifVersion;
  return holds ? undefined : { state: 'condition-failed', currentVersion: live?.version ?? null };
}
