import { causedBy, taskCancelled, taskDeleted } from '../domain/domain-event';
import type { AttachmentCache } from '../ports/attachment-cache';
import type { Clock } from '../ports/clock';
import type { CoreSettings } from '../ports/core-settings';
import type { IdSource } from '../ports/id-source';
import type { Outbox } from '../ports/outbox';
import type { TaskStore } from '../ports/task-store';
import type { DeletionStep, DoomedTask, TaskDeletion, TreeDeletion } from '../ports/tree-deletion';
import type { AcknowledgedChanges } from './acknowledged-changes';
import { unlessCacheIsDown } from './unless-cache-is-down';
import { mintStamp } from './write-versioned';

/** So few that a step holds few locks, for milliseconds. */
const STEP_SIZE = 200;

/** Deletes tasks with everything below them, step by step, from the store and then from the cache. */
export class TreeRemover {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
    private readonly acknowledged: AcknowledgedChanges,
    private readonly stepSize = STEP_SIZE,
  ) {}

  /**
   * Takes every step, each within `leftMs`, so that it can be acknowledged. Returns whether there was anything to
   * delete. Throws `StoreError`; then others continue.
   */
  async remove(tree: TreeDeletion, leftMs: () => number): Promise<boolean> {
    const first = await this.take(tree, leftMs());
    if (!first) return false;
    const isAlone = first.deletions[0]?.taskId === tree.taskId && !first.more;
    let step: DeletionStep | undefined = first;
    while (step?.more) step = await this.take(tree, leftMs());
    if (!isAlone) await this.rememberTree(tree, leftMs());
    return true;
  }

  /** Takes one step. Returns whether others must follow. Throws `StoreError`. */
  async step(tree: TreeDeletion, timeoutMs: number): Promise<{ more: boolean }> {
    const step = await this.take(tree, timeoutMs);
    return { more: step?.more === true };
  }

  /** Undefined if there is nothing to delete. */
  private async take(tree: TreeDeletion, timeoutMs: number): Promise<DeletionStep | undefined> {
    const nowMs = this.clock.nowMs();
    const describe = (tasks: readonly DoomedTask[]) => tasks.map((task) => this.deletionOf(task, tree, nowMs));
    const step = await this.store.deleteTree(tree, describe, this.stepSize, timeoutMs);
    if (!step) return undefined;
    for (const { taskId, stamp } of step.deletions) {
      this.acknowledged.rememberDeleted(tree.caller, taskId, stamp.version);
    }
    const wipes = step.deletions.map(({ taskId, stamp }) => this.cache.wipe(taskId, stamp.version));
    await unlessCacheIsDown(Promise.all(wipes));
    return step;
  }

  /** Between two steps others may have taken one, and the cache may not have heard of it: see `ContinueDeletions`. */
  private async rememberTree({ taskId, caller }: TreeDeletion, timeoutMs: number): Promise<void> {
    const horizon = await this.outbox.horizon(timeoutMs);
    const { version } = mintStamp(this.ids, this.clock.nowMs());
    this.acknowledged.rememberTree(caller, taskId, version, horizon);
  }

  /** A task in progress is cancelled first. */
  private deletionOf({ id, status }: DoomedTask, { caller }: TreeDeletion, nowMs: number): TaskDeletion {
    const stamp = mintStamp(this.ids, nowMs);
    const { instanceId } = this.settings;
    const deleted = taskDeleted(id, { by: caller.name, nowMs, instanceId, eventId: stamp.op });
    const cancelled = status === 'in_progress' ? [taskCancelled(id, caller.name, nowMs, this.ids.op())] : [];
    return { taskId: id, stamp, events: [...cancelled, deleted].map((event) => causedBy(event, caller)) };
  }
}
