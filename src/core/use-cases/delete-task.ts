import type { Caller } from '../caller';
import { taskCancelled, taskDeleted } from '../domain/domain-event';
import { taskNotFound, type Task } from '../domain/task';
import type { AttachmentCache } from '../ports/attachment-cache';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import type { TaskDeletion, TaskStore } from '../ports/task-store';
import type { CoreSettings } from '../settings';
import { unlessCacheIsDown } from './cache-outage';
import { mintStamp } from './versioned-write';

/** Deletes a task with all that belongs to it; one in progress is cancelled first. */
export class DeleteTask {
  constructor(
    private readonly store: TaskStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
  ) {}

  async execute(taskId: string, caller: Caller): Promise<{ taskId: string; deletedAtMs: number }> {
    const nowMs = this.clock.nowMs();
    const deletions = await this.store.deleteTree(taskId, caller.organization, (tasks) =>
      tasks.map((task) => this.deletionOf(task, caller.name, nowMs)),
    );
    if (!deletions) throw taskNotFound(taskId);
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
