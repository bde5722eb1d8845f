import { LRUCache } from 'lru-cache';
import { refName, outlineOf, type Attachment, type AttachmentRef } from '../../core/domain/attachment';
import { versionAt } from '../../core/domain/version';
import {
  AttachmentCache,
  type AppliedChange,
  type AppliedReply,
  type CachedAttachment,
  type CachedPage,
  type CachedTask,
  type Fill,
  type PageRequest,
  type ProjectionCursor,
} from '../../core/ports/attachment-cache';
import type { Clock } from '../../core/ports/clock';
import type { OutboxChange } from '../../core/ports/outbox';
import { GENERATION, TaskRecords } from './task-records';

/** What an attachment costs beside its body, roughly: its members, its record, its places in the maps. */
const ENTRY_OVERHEAD_BYTES = 1024;
/** The clock of this process may step backwards, and those of other replicas differ from it, hardly by more than this. */
const CLOCK_SKEW_MS = 100;

export interface MemoryAttachmentCacheOptions {
  /** From the last change or fill. */
  readonly ttlMs: number;
  readonly maxTasks: number;
  /** Of all bodies together; and, separately, of all records. */
  readonly maxBytes: number;
  /** Whether other processes write to the store: what they change must be projected. */
  readonly isStoreShared: boolean;
}

/** Attachments in this process. Of what another one changes it learns by the projection alone. */
export class MemoryAttachmentCache extends AttachmentCache {
  private readonly tasks: LRUCache<string, TaskRecords>;
  /** Apart from the records, so that a task that is too large loses some of its bodies and not all that is known of it. */
  private readonly bodies: LRUCache<string, Attachment>;
  private readonly isStoreShared: boolean;
  /** In the outbox. */
  private position?: number;

  constructor(
    private readonly clock: Pick<Clock, 'nowMs'>,
    { ttlMs, maxTasks, maxBytes, isStoreShared }: MemoryAttachmentCacheOptions,
  ) {
    super();
    this.isStoreShared = isStoreShared;
    const limits = { maxSize: maxBytes, ttl: ttlMs, ttlResolution: 0, perf: { now: () => clock.nowMs() } };
    this.tasks = new LRUCache({
      ...limits,
      max: maxTasks,
      sizeCalculation: (task) => (task.size + 1) * ENTRY_OVERHEAD_BYTES,
    });
    this.bodies = new LRUCache({ ...limits, sizeCalculation: ({ bytes = 0 }) => bytes + ENTRY_OVERHEAD_BYTES });
  }

  read(refs: readonly AttachmentRef[], organization: string): Promise<readonly CachedAttachment[]> {
    const found = refs.map((ref) => {
      const task = this.open(ref.taskId);
      const attachment = task.isForeignTo(organization) ? undefined : this.body(task, ref);
      return { ...this.about(task), attachment, journaled: false };
    });
    return Promise.resolve(found);
  }

  readTask(taskId: string): Promise<CachedTask> {
    return Promise.resolve(this.about(this.open(taskId)));
  }

  readPage({ taskId, organization, nowMs, page }: PageRequest): Promise<CachedPage> {
    const task = this.open(taskId);
    const ascending = task.keysAt(nowMs);
    if (!page || !ascending || task.isForeignTo(organization) || !task.includesAll(page.known)) {
      return Promise.resolve({ ...this.about(task), journaled: [] });
    }

    const { limit, offset, descending, includeBodies } = page;
    const keys = (descending ? ascending.toReversed() : ascending).slice(offset, offset + limit);
    const entries = keys.map((key) => {
      const attachment = this.body(task, { taskId, key });
      return { key, attachment: attachment && !includeBodies ? outlineOf(attachment) : attachment };
    });
    return Promise.resolve({ ...this.about(task), page: { totalCount: ascending.length, entries }, journaled: [] });
  }

  apply(change: AppliedChange): Promise<AppliedReply> {
    this.changeTask(change.taskId, (task) => {
      task.apply(change);
      if (change.attachment) this.keepBody(task, change.attachment);
    });
    return Promise.resolve({ generation: GENERATION });
  }

  wipe(taskId: string, version: number): Promise<void> {
    this.changeTask(taskId, (task) => task.wipe(version));
    return Promise.resolve();
  }

  fill(fills: readonly Fill[]): Promise<void> {
    for (const fill of fills) {
      this.changeTask(fill.taskId, (task) => {
        task.fill(fill, this.clock.nowMs());
        if (fill.withBodies) fill.attachments.forEach((attachment) => this.keepBody(task, attachment));
      });
    }
    return Promise.resolve();
  }

  cursors(): Promise<readonly ProjectionCursor[]> {
    const { position } = this;
    return Promise.resolve(this.isStoreShared ? [{ position, generation: GENERATION, parts: [0] }] : []);
  }

  project({ position }: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void> {
    if (position === this.position) {
      // Only looked at: what forgets must prolong no lifetime.
      for (const change of changes) this.tasks.peek(change.taskId)?.project(change);
      this.position = to;
    }
    return Promise.resolve();
  }

  private about(task: TaskRecords): CachedTask {
    return { ...task.about, cursor: this.isStoreShared ? (this.position ?? 0) : Infinity };
  }

  /** What is known of the task; where nothing is, whatever was committed up to now may be what was forgotten. */
  private open(taskId: string): TaskRecords {
    const known = this.tasks.get(taskId);
    if (known) return known;
    const task = new TaskRecords(versionAt(this.clock.nowMs() + CLOCK_SKEW_MS));
    this.tasks.set(taskId, task);
    return task;
  }

  /** Puts the task back with its new size and a new lifetime; of a task that was forgotten there is nothing to change. */
  private changeTask(taskId: string, change: (task: TaskRecords) => void): void {
    const task = this.tasks.get(taskId);
    if (!task) return;
    change(task);
    // The size of what is set again in its own place would be that of before.
    this.tasks.delete(taskId);
    this.tasks.set(taskId, task);
  }

  private body(task: TaskRecords, ref: AttachmentRef): Attachment | undefined {
    const body = this.bodies.get(refName(ref));
    return body && task.has(body) ? body : undefined;
  }

  private keepBody(task: TaskRecords, attachment: Attachment): void {
    if (task.has(attachment)) this.bodies.set(refName(attachment), attachment);
  }
}
