import type { AttachmentRef } from '../domain/attachment';
import type { CachedTask, KnownChange } from '../ports/attachment-cache';
import type { CacheTrust } from './cache-trust';

export interface AcknowledgedChange extends KnownChange {
  /** Only the journal has it, as far as this replica knows. */
  readonly journaled: boolean;
}

interface ChangedTask {
  readonly changes: Map<string, AcknowledgedChange>;
  /** Keys of the changes that a page from the cache has not yet been found to have, in `generation`. */
  unchecked: Set<string>;
  generation: number;
}

interface DeletedTask {
  /** Nothing of the task had a higher version, as far as this replica knows. */
  readonly deletedVersion: number;
}

/** The changes of one organisation that this replica has acknowledged. Those made longest ago are forgotten first. */
export class OrganizationChanges {
  private readonly tasks = new Map<string, ChangedTask | DeletedTask>();
  private count = 0;
  /** The cache may lack deletions until it has been brought there. */
  private neededCursor = 0;

  constructor(
    private readonly trust: CacheTrust,
    /** Called after the size has changed, with the difference. */
    private readonly onResize: (difference: number) => void,
    /** The highest version that was forgotten. */
    private forgottenVersion: number,
  ) {}

  get highestForgotten(): number {
    return this.forgottenVersion;
  }

  get size(): number {
    return this.count;
  }

  /** As `AcknowledgedChanges` has it. */
  remember({ taskId, key }: AttachmentRef, change: Omit<AcknowledgedChange, 'key'>, generation?: number): void {
    const task = this.open(taskId);
    if (!task || (task.changes.get(key)?.version ?? 0) >= change.version) return;
    const isNew = !task.changes.has(key);
    task.changes.set(key, { key, ...change });
    if (generation === this.trust.generation) task.unchecked.delete(key);
    else task.unchecked.add(key);
    this.renew(taskId, task);
    if (isNew) this.resize(1);
  }

  /** As `AcknowledgedChanges` has it. */
  rememberDeleted(taskId: string, version: number): void {
    const deletedVersion = Math.max(version, this.drop(taskId));
    this.renew(taskId, { deletedVersion });
    this.resize(1);
  }

  /** As `AcknowledgedChanges` has it. */
  needCursor(horizon: number): void {
    this.neededCursor = Math.max(this.neededCursor, horizon);
  }

  /** Whether the cache is believed: nothing that was acknowledged here, and is not remembered, can be missing in it. */
  accepts(cached: CachedTask): boolean {
    return this.trust.accepts(cached) && cached.cursor >= this.neededCursor;
  }

  isDeleted(taskId: string): boolean {
    const task = this.tasks.get(taskId);
    return task !== undefined && 'deletedVersion' in task;
  }

  /** The highest version that was acknowledged here, or seen since; 0 if none was. */
  versionOf({ taskId, key }: AttachmentRef): number {
    return this.changed(taskId)?.changes.get(key)?.version ?? 0;
  }

  /**
   * Whether a change that has been forgotten here may be missing from what the cache says: it may have come back with
   * older data. `version` is what it says of a key; if it is left out, any change counts.
   */
  mayHaveForgotten(cached: CachedTask, version = 0): boolean {
    return cached.cursor < this.neededCursor || (version < this.forgottenVersion && !this.trust.accepts(cached));
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
    if (task.changes.size === 0) this.tasks.delete(taskId);
    this.resize(-1);
  }

  /** The store has been replaced: it may have lost everything but what the journal still has. */
  forgetStored(): void {
    this.neededCursor = 0;
    for (const [taskId, task] of [...this.tasks]) {
      if (!('changes' in task)) this.drop(taskId);
      else this.forgetStoredOf(taskId, [...task.changes.values()]);
    }
  }

  /** Makes room: forgets the task that was changed longest ago or, if it is the only one, its oldest change. */
  forgetOldest(): void {
    const [oldest] = this.tasks.keys();
    if (oldest === undefined) return;
    const change = this.tasks.size > 1 ? undefined : this.changed(oldest)?.changes.values().next().value;
    const version = change ? change.version : this.drop(oldest);
    if (change) this.forget({ taskId: oldest, key: change.key }, version);
    this.forgottenVersion = Math.max(this.forgottenVersion, version);
  }

  private forgetStoredOf(taskId: string, changes: readonly AcknowledgedChange[]): void {
    for (const { key, version, journaled } of changes) if (!journaled) this.forget({ taskId, key }, version);
  }

  private changed(taskId: string): ChangedTask | undefined {
    const task = this.tasks.get(taskId);
    return task && 'changes' in task ? task : undefined;
  }

  /** Undefined if the task has been deleted. */
  private open(taskId: string): ChangedTask | undefined {
    if (this.isDeleted(taskId)) return undefined;
    const { generation } = this.trust;
    const task = this.changed(taskId) ?? { changes: new Map(), unchecked: new Set(), generation };
    if (task.generation !== generation) this.uncheck(task);
    return task;
  }

  private uncheck(task: ChangedTask): void {
    task.unchecked = new Set(task.changes.keys());
    task.generation = this.trust.generation;
  }

  /** The order of the tasks is that of their last changes. */
  private renew(taskId: string, task: ChangedTask | DeletedTask): void {
    this.tasks.delete(taskId);
    this.tasks.set(taskId, task);
  }

  /** Returns the highest version of what is dropped, 0 if there is nothing. */
  private drop(taskId: string): number {
    const task = this.tasks.get(taskId);
    if (!task) return 0;
    this.tasks.delete(taskId);
    const versions =
      'changes' in task ? [...task.changes.values()].map(({ version }) => version) : [task.deletedVersion];
    this.resize(-versions.length);
    return versions.reduce((highest, version) => Math.max(highest, version), 0);
  }

  private resize(difference: number): void {
    this.count += difference;
    this.onResize(difference);
  }
}
