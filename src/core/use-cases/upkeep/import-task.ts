import { taskCreated } from '../../domain/domain-event';
import type { Task } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import type { TaskStore } from '../../ports/task-store';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';

export type ImportedTask =
  | 'imported'
  /** An earlier import, or the task itself: it stays as it is. */
  | 'present'
  /** The id was used before, for another task or for one that is deleted. */
  | 'id-taken'
  | 'parent-missing';

/** Puts a task that was exported elsewhere into the store, with its status, its times and its authors. */
export class ImportTask {
  constructor(
    private readonly tasks: TaskStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  /** Throws `StoreError`. */
  async execute(task: Task): Promise<ImportedTask> {
    const outcome = await this.tasks.insert(task, [], taskCreated(task, this.ids.op()), OPERATION_TIMEOUT_MS);
    if (outcome !== 'id-taken') return outcome === 'inserted' ? 'imported' : outcome;
    const stored = await this.tasks.get(task.id, task.organization, this.clock.nowMs(), OPERATION_TIMEOUT_MS);
    const isSame = stored?.task.createdAtMs === task.createdAtMs && stored.task.createdBy === task.createdBy;
    return isSame ? 'present' : 'id-taken';
  }
}
