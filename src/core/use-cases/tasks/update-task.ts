import type { Caller } from '../../domain/caller';
import { causedBy, taskUpdated } from '../../domain/domain-event';
import { taskNotFound, updateTask, type Task, type TaskUpdates } from '../../domain/task';
import type { WriteStamp } from '../../domain/version';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskStore } from '../../ports/task-store';
import { Deadline } from '../../consistency/deadline';
import { OneAtATime } from '../../consistency/one-at-a-time';
import { Overtaken, writeVersioned } from '../../consistency/write-versioned';

export interface UpdateTaskCommand {
  readonly taskId: string;
  readonly updates: TaskUpdates;
}

export class UpdateTask {
  /**
   * The changes of one task that this process makes. Each would be overtaken by others between reading the task and
   * changing it, and be made again and again.
   */
  private readonly changes = new OneAtATime();

  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  execute({ taskId, updates }: UpdateTaskCommand, caller: Caller): Promise<Task> {
    const deadline = new Deadline(this.clock);
    const attempt = async ({ op }: WriteStamp, nowMs: number) => {
      const found = await this.store.get(taskId, caller.organization, nowMs, deadline.leftMs());
      if (!found) throw taskNotFound(taskId);
      const updated = updateTask(found.task, updates, { by: caller.name, nowMs });
      const event = causedBy(taskUpdated(updated, Object.keys(updates), op), caller);
      const { state } = await this.store.update(updated, event, undefined, deadline.leftMs());
      return state === 'updated' ? updated : new Overtaken(undefined);
    };
    // A caller waits for those of its organisation only.
    const name = JSON.stringify([caller.organization, taskId]);
    return this.changes.take(name, () => writeVersioned(this.clock, this.ids, attempt, { deadline }));
  }
}
