import type { Caller } from '../../domain/caller';
import { causedBy, taskUpdated } from '../../domain/domain-event';
import { taskNotFound, updateTask, type Task, type TaskUpdates } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskStore } from '../../ports/task-store';
import { Overtaken, writeVersioned } from '../../consistency/write-versioned';

export interface UpdateTaskCommand {
  readonly taskId: string;
  readonly updates: TaskUpdates;
}

export class UpdateTask {
  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  execute({ taskId, updates }: UpdateTaskCommand, caller: Caller): Promise<Task> {
    return writeVersioned<Task>(this.clock, this.ids, async ({ op }, nowMs, deadline) => {
      const found = await this.store.get(taskId, caller.organization, nowMs, deadline.leftMs());
      if (!found) throw taskNotFound(taskId);
      const updated = updateTask(found.task, updates, { by: caller.name, nowMs });
      const event = causedBy(taskUpdated(updated, Object.keys(updates), op), caller);
      const { state } = await this.store.update(updated, event, undefined, deadline.leftMs());
      return state === 'updated' ? updated : new Overtaken(undefined);
    });
  }
}
