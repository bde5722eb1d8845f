import type { Caller } from '../../domain/caller';
import { taskCancelled, taskDeleted } from '../../domain/domain-event';
import { CACHE_TIMEOUT_MS } from '../../ports/time-limits';
import { taskNotFound, type Task } from '../../domain/task';
import type { AttachmentCache } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskDeletion, TaskStore } from '../../ports/task-store';
import type { CoreSettings } from '../../ports/core-settings';
import { Deadline } from '../../consistency/deadline';
import type { AcknowledgedChanges } from '../../consistency/acknowledged-changes';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';
import { mintStamp } from '../../consistency/write-versioned';

/** Deletes a task with everything that belongs to it; a task in progress is cancelled first. */
export class DeleteTask {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
    private readonly acknowledged: AcknowledgedChanges,
  ) {}

  async execute(taskId: string, caller: Caller): Promise<{ taskId: string; deletedAtMs: number }> {
    const nowMs = this.clock.nowMs();
    const timeoutMs = new Deadline(this.clock).leftMs(CACHE_TIMEOUT_MS);
    const describe = (tasks: readonly Task[]) => tasks.map((task) => this.deletionOf(task, caller.name, nowMs));
    const deletions = await this.store.deleteTree(taskId, caller.organization, describe, timeoutMs);
    if (!deletions) throw taskNotFound(taskId);
    const acknowledged = this.acknowledged.of(caller);
    for (const { taskId, stamp } of deletions) acknowledged.rememberDeleted(taskId, stamp.version);
    await unlessCacheIsDown(
      Promise.all(deletions.map((deletion) => this.cache.wipe(deletion.taskId, deletion.stamp.version))),
    );
    return { taskId, deletedAtMs: nowMs };
  }

  private deletionOf(task: Task, by: string, nowMs: number): TaskDeletion {
    const stamp = mintStamp(this.ids, nowMs);
    const { instanceId } = this.settings;
    const deleted = taskDeleted(task.id, { by, nowMs, instanceId, eventId: stamp.op });
    const events =
      task.status === 'in_progress' ? [taskCancelled(task.id, by, nowMs, this.ids.op()), deleted] : [deleted];
    return { taskId: task.id, stamp, events };
  }
}
