import type { Caller } from '../../domain/caller';
import { taskNotFound } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import { CACHE_TIMEOUT_MS } from '../../ports/time-limits';
import { Deadline } from '../../consistency/deadline';
import type { UsageByOrganization } from '../../quotas/usage-by-organization';
import type { TreeRemover } from '../../consistency/tree-remover';

/**
 * Deletes a task with everything that belongs to it; a task in progress is cancelled first. If a call has too little
 * time for a large tree, it fails with a time-out, and the deletion is continued: by a repeated call, or in the
 * background.
 */
export class DeleteTask {
  constructor(
    private readonly remover: TreeRemover,
    private readonly clock: Clock,
    private readonly usage: UsageByOrganization,
  ) {}

  async execute(taskId: string, caller: Caller): Promise<{ taskId: string; deletedAtMs: number }> {
    const deletedAtMs = this.clock.nowMs();
    const deadline = new Deadline(this.clock);
    const leftMs = () => deadline.leftMs(CACHE_TIMEOUT_MS);
    if (!(await this.remover.remove({ taskId, caller }, leftMs))) throw taskNotFound(taskId);
    this.usage.shrunk(caller.organization);
    return { taskId, deletedAtMs };
  }
}
