import type { AttachmentRef } from '../domain/attachment';
import type { CachedTask, KnownChange } from '../ports/attachment-cache';

const DEFAULT_MAX_CHANGES = 100_000;

interface OwnChange extends KnownChange {
  /** Only the journal has acknowledged it, as far as is known here. */
  readonly journaled: boolean;
}

interface OwnTask {
  readonly changes: Map<string, OwnChange>;
  /** Keys of changes that a page from the cache might lack, for all that is known in `generation`. */
  unchecked: Set<string>;
  generation: number;
}

/**
 * What this replica knows beyond what the stores tell it: which changes it has acknowledged, so that it never answers
 * with anything older, and how far the cache must have been brought before it can be believed. Forgets the tasks that
 * were changed longest ago; starts anew with the process.
 */
export class ReplicaMemory {
  private readonly tasks = new Map<string, OwnTask | 'deleted'>();
  private size = 0;
  private generation = 0;
  private need = Infinity;

  constructor(private readonly maxChanges = DEFAULT_MAX_CHANGES) {}

  /** The generation with the cache that was heard of last. */
  get currentGeneration(): number {
    return this.generation;
  }

  /** Whether everything that was committed before this generation with the cache has been projected into it. */
  trusts({ token, cursor }: CachedTask): boolean {
    this.enter(token.generation);
    return token.generation === this.generation && cursor >= this.need;
  }

  /** `horizon` is from a read of the outbox that began when the generation had begun. */
  learnHorizon(generation: number, horizon: number): void {
    this.enter(generation);
    // A horizon that has gone back is that of another database.
    if (generation === this.generation) this.need = Math.min(this.need, horizon);
  }

  /** Changes up to the horizon could not be projected: the cache is not believed until somebody has done so. */
  distrust(horizon: number): void {
    this.need = Math.max(this.need, horizon);
  }

  /** To be called before a change is acknowledged; `generation` is the one in which the cache was told of it, if it was. */
  remember({ taskId, key }: AttachmentRef, change: Omit<OwnChange, 'key'>, generation?: number): void {
    const task = this.open(taskId);
    if (!task || (task.changes.get(key)?.version ?? 0) >= change.version) return;
    if (!task.changes.has(key)) this.size += 1;
    task.changes.set(key, { key, ...change });
    if (generation === this.generation) task.unchecked.delete(key);
    else task.unchecked.add(key);
    this.renew(taskId, task);
  }

  /** To be called before the deletion of a task is acknowledged. */
  rememberDeleted(taskId: string): void {
    this.drop(taskId);
    this.size += 1;
    this.renew(taskId, 'deleted');
  }

  isDeleted(taskId: string): boolean {
    return this.tasks.get(taskId) === 'deleted';
  }

  /** The highest version that was acknowledged here, or seen since; 0 where none was. */
  versionOf(ref: AttachmentRef): number {
    return this.changeOf(ref)?.version ?? 0;
  }

  /** By their keys the versions that were acknowledged here, or seen since, and that the store has. */
  storedVersions(taskId: string): ReadonlyMap<string, number> {
    const changes = [...(this.changed(taskId)?.changes.values() ?? [])];
    return new Map(changes.filter(({ journaled }) => !journaled).map(({ key, version }) => [key, version]));
  }

  /** Changes that a page from the cache might lack. */
  uncheckedChanges(taskId: string): readonly KnownChange[] {
    const task = this.changed(taskId);
    if (!task) return [];
    if (task.generation !== this.generation) this.uncheck(task);
    return [...task.unchecked].map((key) => task.changes.get(key) as OwnChange);
  }

  /** A page from the cache was found to have these changes, or newer ones. */
  learnChecked(taskId: string, generation: number, changes: readonly KnownChange[]): void {
    const task = this.changed(taskId);
    if (task?.generation !== generation) return;
    for (const change of changes) if (task.changes.get(change.key) === change) task.unchecked.delete(change.key);
  }

  /** Changes that the store may not have, as far as is known here. */
  journaledChanges(taskId: string): readonly KnownChange[] {
    return [...(this.changed(taskId)?.changes.values() ?? [])].filter(({ journaled }) => journaled);
  }

  /** The store has this version, which may be newer than what was acknowledged here; what never was is not kept. */
  learnStored({ taskId, key }: AttachmentRef, version: number, deleted: boolean): void {
    const task = this.changed(taskId);
    const known = task?.changes.get(key);
    if (!task || !known || known.version > version) return;
    task.changes.set(key, { key, version, deleted, journaled: false });
    if (known.version < version) task.unchecked.add(key);
  }

  /** The stores have lost what was acknowledged; does nothing where something newer has been since. */
  forget({ taskId, key }: AttachmentRef, version: number): void {
    const task = this.changed(taskId);
    if (task?.changes.get(key)?.version !== version) return;
    task.changes.delete(key);
    task.unchecked.delete(key);
    this.size -= 1;
    if (task.changes.size === 0) this.tasks.delete(taskId);
  }

  /** Every generation begins without trust. */
  private enter(generation: number): void {
    if (generation <= this.generation) return;
    this.generation = generation;
    this.need = Infinity;
  }

  private changeOf({ taskId, key }: AttachmentRef): OwnChange | undefined {
    return this.changed(taskId)?.changes.get(key);
  }

  private changed(taskId: string): OwnTask | undefined {
    const task = this.tasks.get(taskId);
    return task === 'deleted' ? undefined : task;
  }

  /** Undefined where the task has been deleted. */
  private open(taskId: string): OwnTask | undefined {
    const task = this.tasks.get(taskId) ?? { changes: new Map(), unchecked: new Set(), generation: this.generation };
    if (task === 'deleted') return undefined;
    if (task.generation !== this.generation) this.uncheck(task);
    return task;
  }

  private uncheck(task: OwnTask): void {
    task.unchecked = new Set(task.changes.keys());
    task.generation = this.generation;
  }

  private renew(taskId: string, task: OwnTask | 'deleted'): void {
    this.tasks.delete(taskId);
    this.tasks.set(taskId, task);
    for (const [oldest] of this.tasks) {
      if (this.size <= this.maxChanges) return;
      if (oldest !== taskId) this.drop(oldest);
      else this.dropOldestChange(taskId);
    }
  }

  private drop(taskId: string): void {
    const task = this.tasks.get(taskId);
    if (task === undefined) return;
    this.tasks.delete(taskId);
    this.size -= task === 'deleted' ? 1 : task.changes.size;
  }

  private dropOldestChange(taskId: string): void {
    const change = this.changed(taskId)?.changes.values().next().value;
    if (change) this.forget({ taskId, key: change.key }, change.version);
  }
}
