import type { TaskStore } from '../../ports/task-store';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import { inTurn } from '../../consistency/in-turn';
import type { TreeRemover } from '../../consistency/tree-remover';

const MAX_TREES = 10;

/** Continues deletions of trees whose call has ended before they were done. All replicas may do so at the same time. */
export class ContinueDeletions {
  constructor(
    private readonly store: TaskStore,
    private readonly remover: TreeRemover,
  ) {}

  /** Takes one step of each, one after the other: one that cannot go on delays none of the others. */
  async execute(): Promise<{ more: boolean }> {
    const trees = await this.store.unfinishedDeletions(OPERATION_TIMEOUT_MS, MAX_TREES);
    let more = false;
    await inTurn(trees, async (tree) => {
      if ((await this.remover.step(tree, OPERATION_TIMEOUT_MS)).more) more = true;
    });
    return { more };
  }
}
