import type { AttachmentRef } from '../domain/attachment';
import type { KnownChange } from '../ports/attachment-cache';
import type { CacheTrust } from './cache-trust';

const DEFAULT_MAX_CHANGES = 100_000;

interface AcknowledgedChange extends KnownChange {
  /** Only the journal has it, as far as this replica knows. */
  readonly journaled: boolean;
}

interface ChangedTask {
  readonly changes: Map<string, AcknowledgedChange>;
  /** Keys of the changes that a page from the cache has not yet been found to have, in `generation`. */
  unchecked: Set<string>;
  generation: number;
}

/**
 * The changes that this replica has acknowledged, so that it never responds with anything older. Forgets the tasks that
 * were changed longest ago; begins empty with the process.
 */
export class AcknowledgedChanges {
  private readonly tasks = new Map<string, ChangedTask | 'deleted'>();
  private size = 0;

  constructor(
    private readonly trust: CacheTrust,
    private readonly maxChanges = DEFAULT_MAX_CHANGES,
  ) {}

  /**
   * To be called before a change is acknowledged; `generation` is the one in which the cache was told of it, if at all.
   */
  remember({ taskId, key }: AttachmentRef, change: Omit<AcknowledgedChange, 'key'>, generation?: number): void {
    const task = this.open(taskId);
    if (!task || (task.changes.get(key)?.version ?? 0) >= change.version) return;
    if (!task.changes.has(key)) this.size += 1;
    task.changes.set(key, { key, ...change });
    if (generation === this.trust.generation) task.unchecked.delete(key);
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

  /** The highest version that was acknowledged here, or seen since; 0 if none was. */
  versionOf(ref: AttachmentRef): number {
    return this.changeOf(ref)?.version ?? 0;
  }

  /** The versions that were acknowledged here, or seen since, and that the store has, by their keys. */
  storedVersions(taskId: string): ReadonlyMap<string, number> {
    const changes = [...(this.changed(taskId)?.changes.values() ?? [])];
    return new Map(changes.filter(({ journaled }) => !journaled).map(({ key, version }) => [key, version]));
  }

  /** Changes that a page from the cache may lack. */
  uncheckedChanges(taskId: string): readonly KnownChange[] {
    const task = this.changed(taskId);
    if (!task) return [];
    if (task.generation !== this.trust.generation) this.uncheck(task);
    return [...task.unchecked].map((key) => task.changes.get(key) as AcknowledgedChange);
  }

  /** A page that the cache read in `generation` was found to have these changes, or newer ones. */
  learnChecked(taskId: string, generation: number, changes: readonly KnownChange[]): void {
    const task = this.changed(taskId);
    if (task?.generation !== generation) return;
    for (const change of changes) if (task.changes.get(change.key) === change) task.unchecked.delete(change.key);
  }

  /** Changes that the store may not have, as far as this replica knows. */
  journaledChanges(taskId: string): readonly KnownChange[] {
    return [...(this.changed(taskId)?.changes.values() ?? [])].filter(({ journaled }) => journaled);
  }

  /** The store has this version, which may be newer than what was acknowledged here. Other keys are not kept. */
  learnStored({ taskId, key }: AttachmentRef, version: number, deleted: boolean): void {
    const task = this.changed(taskId);
    const known = task?.changes.get(key);
    if (!task || !known || known.version > version) return;
    task.changes.set(key, { key, version, deleted, journaled: false });
    if (known.version < version) task.unchecked.add(key);
  }

  /** The stores have lost what was acknowledged; does nothing if something newer has been acknowledged since. */
  forget({ taskId, key }: AttachmentRef, version: number): void {
    const task = this.changed(taskId);
    if (task?.changes.get(key)?.version !== version) return;
    task.changes.delete(key);
    task.unchecked.delete(key);
    this.size -= 1;
    if (task.changes.size === 0) this.tasks.delete(taskId);
  }

  /** The store has been replaced: it may have lost everything but what the journal still has. */
  forgetStored(): void {
    for (const [taskId, task] of [...this.tasks]) {
      if (task === 'deleted') this.drop(taskId);
      else
        for (const { key, version, journaled } of [...task.changes.values()])
          if (!journaled) this.forget({ taskId, key }, version);
    }
  }

  private changeOf({ taskId, key }: AttachmentRef): AcknowledgedChange | undefined {
    return this.changed(taskId)?.changes.get(key);
  }

  private changed(taskId: string): ChangedTask | undefined {
    const task = this.tasks.get(taskId);
    return task === 'deleted' ? undefined : task;
  }

  /** Undefined if the task has been deleted. */
  private open(taskId: string): ChangedTask | undefined {
    const task = this.tasks.get(taskId) ?? {
      changes: new Map(),
      unchecked: new Set(),
      generation: this.trust.generation,
    };
    if (task === 'deleted') return undefined;
    if (task.generation !== this.trust.generation) this.uncheck(task);
    return task;
  }

  private uncheck(task: ChangedTask): void {
    task.unchecked = new Set(task.changes.keys());
    task.generation = this.trust.generation;
  }

  private renew(taskId: string, task: ChangedTask | 'deleted'): void {
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
