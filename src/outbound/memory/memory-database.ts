import { isLive, type Attachment, type ExpiredAttachment } from '../../core/domain/attachment';
import { attachmentExpired, ofStored, type DomainEvent } from '../../core/domain/domain-event';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import type { Task } from '../../core/domain/task';
import { expiryStamp, type WriteStamp } from '../../core/domain/version';
import type { AttachmentPut, PutOutcome, WriteCondition, WriteRefusal } from '../../core/ports/attachment-store';

/** What is left of a deleted attachment: it orders writes that arrive late. */
interface Tombstone {
  readonly deletedBy: WriteStamp;
}

export interface RecordedEvent {
  readonly seq: number;
  readonly event: DomainEvent;
  readonly taskId: string;
  readonly organization: string;
}

/**
 * What the memory stores share. Every method runs to its end before another begins, as JavaScript does; what is stored
 * is immutable and never copied.
 */
export class MemoryDatabase {
  private recorded: RecordedEvent[] = [];
  private seq = 0;
  private readonly tasks = new Map<string, Task | 'deleted'>();
  private readonly attachments = new Map<string, Map<string, Attachment | Tombstone>>();

  /** In the order in which they are to be announced. */
  get outbox(): readonly RecordedEvent[] {
    return this.recorded;
  }

  get events(): readonly DomainEvent[] {
    return this.recorded.map(({ event }) => event);
  }

  /** Of the event that was recorded last. */
  get lastSeq(): number {
    return this.seq;
  }

  record({ id, organization }: Pick<Task, 'id' | 'organization'>, ...events: readonly DomainEvent[]): void {
    const added = events.map((event) => ({ seq: ++this.seq, event, taskId: id, organization }));
    this.recorded.push(...added);
  }

  forgetEvents(forgotten: ReadonlySet<RecordedEvent>): void {
    this.recorded = this.recorded.filter((one) => !forgotten.has(one));
  }

  /** Whether the id was ever given to a task. */
  isTaken(taskId: string): boolean {
    return this.tasks.has(taskId);
  }

  task(taskId: string, organization: string): Task | undefined {
    const task = this.tasks.get(taskId);
    return task !== undefined && task !== 'deleted' && task.organization === organization ? task : undefined;
  }

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

  liveAttachment(taskId: string, key: string, nowMs: number): Attachment | undefined {
    const stored = this.attachments.get(taskId)?.get(key);
    return stored && !isTombstone(stored) && isLive(stored, nowMs) ? stored : undefined;
  }

  liveAttachments(taskId: string, nowMs: number): Attachment[] {
    const stored = [...(this.attachments.get(taskId)?.values() ?? [])];
    return stored.filter((one): one is Attachment => !isTombstone(one) && isLive(one, nowMs));
  }

  put({ attachment, event }: AttachmentPut, condition: WriteCondition, nowMs: number): PutOutcome {
    const { taskId, key, version } = attachment;
    const live = this.liveAttachment(taskId, key, nowMs);
    const refusal =
      conditionRefusal(condition, live) ??
      this.versionRefusal(taskId, key, version) ??
      (live ? undefined : this.limitRefusal(taskId, nowMs));
    if (refusal) return refusal;

    const replaced = this.attachments.get(taskId)?.get(key);
    const { id, createdAtMs, createdBy } = live ?? attachment;
    const identity = { id, createdAtMs, createdBy };
    if (replaced && !isTombstone(replaced) && !live) this.recordExpiry(replaced);
    this.store(taskId, key, { ...attachment, ...identity });
    this.record(this.tasks.get(taskId) as Task, live ? ofStored(event, id) : event);
    return { state: 'applied', identity, replaced: live !== undefined };
  }

  /** Leaves a tombstone. */
  remove(taskId: string, key: string, stamp: WriteStamp): WriteRefusal | undefined {
    const refusal = this.versionRefusal(taskId, key, stamp.version);
    if (!refusal) this.store(taskId, key, { deletedBy: stamp });
    return refusal;
  }

  expired(nowMs: number): ExpiredAttachment[] {
    const stored = [...this.attachments.values()].flatMap((ofTask) => [...ofTask.values()]);
    return stored.filter((one): one is ExpiredAttachment & Attachment => !isTombstone(one) && !isLive(one, nowMs));
  }

  /** False where that version is no longer there. */
  removeExpired({ taskId, key, version }: ExpiredAttachment): boolean {
    const stored = this.attachments.get(taskId)?.get(key);
    if (!stored || isTombstone(stored) || stored.version !== version) return false;
    this.recordExpiry(stored);
    this.store(taskId, key, { deletedBy: expiryStamp(stored) });
    return true;
  }

  /** Returns how many. */
  purgeTombstones(belowVersion: number, limit: number): number {
    const old = [...this.attachments].flatMap(([taskId, ofTask]) =>
      [...ofTask]
        .filter(([, one]) => isTombstone(one) && one.deletedBy.version < belowVersion)
        .map(([key]) => [taskId, key] as const),
    );
    const purged = old.slice(0, limit);
    for (const [taskId, key] of purged) this.attachments.get(taskId)?.delete(key);
    return purged.length;
  }

  private recordExpiry(expired: Attachment): void {
    this.record(this.tasks.get(expired.taskId) as Task, attachmentExpired(expired as ExpiredAttachment));
  }

  private store(taskId: string, key: string, attachment: Attachment | Tombstone): void {
    const ofTask = this.attachments.get(taskId) ?? new Map<string, Attachment | Tombstone>();
    this.attachments.set(taskId, ofTask.set(key, attachment));
  }

  private versionRefusal(taskId: string, key: string, version: number): WriteRefusal | undefined {
    const stored = this.attachments.get(taskId)?.get(key);
    if (!stored) return undefined;
    const storedVersion = isTombstone(stored) ? stored.deletedBy.version : stored.version;
    return storedVersion >= version ? { state: 'superseded', version: storedVersion } : undefined;
  }

  private limitRefusal(taskId: string, nowMs: number): WriteRefusal | undefined {
    return this.liveAttachments(taskId, nowMs).length >= MAX_ATTACHMENTS_PER_TASK ? { state: 'task-full' } : undefined;
  }
}

function conditionRefusal(condition: WriteCondition, live: Attachment | undefined): WriteRefusal | undefined {
  if (!condition) return undefined;
  const holds = 'ifAbsent' in condition ? !live : live?.version === condition.ifVersion;
  return holds ? undefined : { state: 'condition-failed', currentVersion: live?.version ?? null };
}

function isTombstone(stored: Attachment | Tombstone): stored is Tombstone {
  return 'deletedBy' in stored;
}
