import type { Caller } from '../../domain/caller';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import type { TaskStore } from '../../ports/task-store';

/**
 * Whether a task that is missing for its caller belongs to another organisation. Only for a response that is documented
 * to say so: everywhere else such a task is a missing task.
 */
export class IsForeignTask {
  constructor(private readonly store: TaskStore) {}

  async execute(taskId: string, caller: Caller): Promise<boolean> {
    const owner = await this.store.organizationOf(taskId, OPERATION_TIMEOUT_MS);
    return owner !== undefined && owner !== caller.organization;
  }
}
