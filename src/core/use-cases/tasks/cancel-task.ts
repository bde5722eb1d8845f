import type { Caller } from '../../domain/caller';
import { causedBy, taskCancelled } from '../../domain/domain-event';
import { cancelTask, taskNotFound, type Task } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskStore } from '../../ports/task-store';
import { Overtaken, writeVersioned } from '../../consistency/write-versioned';

/** Cancels a task that is not finished yet; a finished task is returned as it is. */
export class CancelTask {
  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  execute(taskId: string, caller: Caller): Promise<Task> {
    return writeVersioned<Task>(this.clock, this.ids, async ({ op }, nowMs, deadline) => {
      const found = await this.store.get(taskId, caller.organization, nowMs, deadline.leftMs());
      if (!found) throw taskNotFound(taskId);
      const cancelled = cancelTask(found.task, { by: caller.name, nowMs });
      if (cancelled === found.task) return cancelled;
      const event = causedBy(taskCancelled(taskId, caller.name, nowMs, op), caller);
      const { state } = await this.store.update(cancelled, event, undefined, deadline.leftMs());
      return state === 'updated' ? cancelled : new Overtaken(undefined);
    });
  }
}
