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
  type CacheOwner,
  type EpochClaim,
  type EpochVerdict,
  type Fill,
  type PageRequest,
  type ProjectionCursor,
} from '../../core/ports/attachment-cache';
import type { CacheEpoch } from '../../core/ports/cache-epoch';
import type { Clock } from '../../core/ports/clock';
import type { Room } from '../../core/ports/room';
import type { OutboxChange } from '../../core/ports/outbox';
import { TaskRecords } from './task-records';

/**
 * The approximate size of an attachment without its body and its url: its members, its record and its entries in the
 * maps.
 */
const ENTRY_OVERHEAD_BYTES = 1024;
/**
 * The clock of this process may step back, and those of other replicas may differ from it. Neither should exceed this.
 */
const CLOCK_SKEW_MS = 100;

export interface MemoryAttachmentCacheOptions {
  /** Starts again with every change and every fill. */
  readonly ttlMs: number;
  readonly maxTasks: number;
  /** The limit of all bodies together and, separately, of all records together. */
  readonly maxBytes: number;
  /** Whether other processes write to the store, so that their changes must be projected. */
  readonly isStoreShared: boolean;
}

/** Attachments in this process. It learns of the changes of other processes by the projection alone. */
export class MemoryAttachmentCache extends AttachmentCache implements CacheEpoch {
  private readonly tasks: LRUCache<string, TaskRecords>;
  /** Separate from the records, so that a task that is too large loses some of its bodies, but not its records. */
  private readonly bodies: LRUCache<string, Attachment>;
  private readonly isStoreShared: boolean;
  /** The position in the outbox up to which changes have been projected. */
  private position?: number;
  /** There is no connection that could break: only epochs begin a generation. */
  private generation = 0;
  private epoch?: string;
  private owner?: CacheOwner;

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
    this.bodies = new LRUCache({ ...limits, sizeCalculation: sizeOf });
  }

  /** Asynchronous, as all that take room: what that throws becomes a rejection. */
  async read(refs: readonly AttachmentRef[], organization: string, room?: Room): Promise<readonly CachedAttachment[]> {
    const found = refs.map((ref) => {
      const task = this.open(ref.taskId);
      const attachment = task.isForeignTo(organization) ? undefined : this.body(task, ref);
      return { attachment, journaled: false, ...this.about(task) };
    });
    takeRoom(room, found);
    return Promise.resolve(found);
  }

  readTask(taskId: string): Promise<CachedTask> {
    return Promise.resolve(this.about(this.open(taskId)));
  }

  async readPage({ taskId, organization, nowMs, room, page }: PageRequest): Promise<CachedPage> {
    const task = this.open(taskId);
    const ascending = task.keysAt(nowMs);
    if (!page || !ascending || task.isForeignTo(organization) || !task.includesAll(page.known)) {
      return Promise.resolve({ journaled: [], ...this.about(task) });
    }

    const { limit, offset, descending, includeBodies } = page;
    const keys = (descending ? ascending.toReversed() : ascending).slice(offset, offset + limit);
    const entries = keys.map((key) => {
      const attachment = this.body(task, { taskId, key });
      return { key, attachment: attachment && !includeBodies ? outlineOf(attachment) : attachment };
    });
    if (includeBodies) takeRoom(room, entries);
    return Promise.resolve({ page: { totalCount: ascending.length, entries }, journaled: [], ...this.about(task) });
  }

  apply(change: AppliedChange): Promise<AppliedReply> {
    this.changeTask(change.taskId, (task) => {
      task.apply(change);
      if (change.attachment) this.keepBody(task, change.attachment);
    });
    return Promise.resolve({ generation: this.generation });
  }

  wipe(taskId: string, version: number): Promise<void> {
    this.changeTask(taskId, (task) => task.wipe(version));
    return Promise.resolve();
  }

  fill(fills: readonly Fill[]): Promise<void> {
    for (const fill of fills) {
      if (fill.token.generation !== this.generation) continue;
      this.changeTask(fill.taskId, (task) => {
        task.fill(fill, this.clock.nowMs());
        if (fill.withBodies) fill.attachments.forEach((attachment) => this.keepBody(task, attachment));
      });
    }
    return Promise.resolve();
  }

  cursors(): Promise<readonly ProjectionCursor[]> {
    const { position, generation, owner } = this;
    return Promise.resolve(this.isStoreShared ? [{ position, generation, parts: [0], owner }] : []);
  }

  project({ position }: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void> {
    if (position === this.position) {
      // `peek`, because a projection must not extend a lifetime.
      for (const change of changes) this.tasks.peek(change.taskId)?.project(change);
      this.position = to;
    }
    return Promise.resolve();
  }

  enter(_parts: readonly number[], { databaseId, epoch }: EpochClaim): Promise<EpochVerdict> {
    this.owner = { databaseId, epoch, isFamiliar: true };
    return Promise.resolve('entered');
  }

  /** Nothing that was known in another epoch is known in this one. */
  use(epoch: string | undefined): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.generation += 1;
    this.position = undefined;
    this.tasks.clear();
    this.bodies.clear();
  }

  private about(task: TaskRecords): CachedTask {
    const { floor, ...about } = task.about;
    const token = { floor, generation: this.generation };
    return { token, cursor: this.isStoreShared ? (this.position ?? 0) : Infinity, ...about };
  }

  /** What is known of the task. If nothing is known, every version committed until now may have been forgotten. */
  private open(taskId: string): TaskRecords {
    const known = this.tasks.get(taskId);
    if (known) return known;
    const task = new TaskRecords(versionAt(this.clock.nowMs() + CLOCK_SKEW_MS));
    this.tasks.set(taskId, task);
    return task;
  }

  /** Puts the task back with its new size and a new lifetime. A task that was forgotten is not changed. */
  private changeTask(taskId: string, change: (task: TaskRecords) => void): void {
    const task = this.tasks.get(taskId);
    if (!task) return;
    change(task);
    // Without the deletion the cache would keep the old size of the task.
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

function sizeOf({ bytes = 0, url = '' }: Attachment): number {
  return bytes + url.length + ENTRY_OVERHEAD_BYTES;
}

/** The bodies are in memory already, but the reply that is made of them is not. */
function takeRoom(room: Room | undefined, found: readonly { readonly attachment?: Attachment }[]): void {
  room?.take(found.reduce((bytes, { attachment }) => bytes + (attachment?.bytes ?? 0), 0));
}
