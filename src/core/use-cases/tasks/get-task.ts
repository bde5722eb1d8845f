import type { Caller } from '../../domain/caller';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import { taskNotFound } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { CountedTask, TaskStore } from '../../ports/task-store';

export class GetTask {
  constructor(
    private readonly store: TaskStore,
    private readonly clock: Clock,
  ) {}

  async execute(taskId: string, caller: Caller): Promise<CountedTask> {
    const found = await this.store.get(taskId, caller.organization, this.clock.nowMs(), OPERATION_TIMEOUT_MS);
    if (!found) throw taskNotFound(taskId);
    return found;
  }
}
