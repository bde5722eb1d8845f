import { causedBy, taskCancelled, taskDeleted } from '../domain/domain-event';
import type { AttachmentCache } from '../ports/attachment-cache';
import type { Clock } from '../ports/clock';
import type { CoreSettings } from '../ports/core-settings';
import type { IdSource } from '../ports/id-source';
import type { TaskStore } from '../ports/task-store';
import type { DoomedTask, TaskDeletion, TreeDeletion } from '../ports/tree-deletion';
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
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
    private readonly acknowledged: AcknowledgedChanges,
    private readonly stepSize = STEP_SIZE,
  ) {}

  /** Takes one step. `none`: there is nothing to delete. Throws `StoreError`. */
  async step(tree: TreeDeletion, timeoutMs: number): Promise<'none' | 'more' | 'done'> {
    const nowMs = this.clock.nowMs();
    const describe = (tasks: readonly DoomedTask[]) => tasks.map((task) => this.deletionOf(task, tree, nowMs));
    const step = await this.store.deleteTree(tree, describe, this.stepSize, timeoutMs);
    if (!step) return 'none';
    for (const { taskId, stamp } of step.deletions) {
      this.acknowledged.rememberDeleted(tree.caller, taskId, stamp.version);
    }
    const wipes = step.deletions.map(({ taskId, stamp }) => this.cache.wipe(taskId, stamp.version));
    await unlessCacheIsDown(Promise.all(wipes));
    return step.more ? 'more' : 'done';
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
