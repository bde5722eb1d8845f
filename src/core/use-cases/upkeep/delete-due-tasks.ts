import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import type { DueTask, DueTaskStore, FinishedTask } from '../../ports/due-task-store';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import type { TreeDeletion } from '../../ports/tree-deletion';
import { inTurn } from '../../consistency/in-turn';
import type { TreeRemover } from '../../consistency/tree-remover';

/** In the events, in the place of a caller. */
const DELETED_BY = 'retention';
/** Of each kind, in one turn. */
const MAX_TASKS = 50;
/** Shorter than the shortest pause between two runs of one replica, so that a replica that is alone has each turn. */
const TURN_MS = 800;

/**
 * Deletes tasks whose time to live has passed, and tasks that were finished long ago, as a caller would. One replica
 * has the turn at a time, so that the rate does not grow with the replicas. The later steps of a large tree are left to
 * `ContinueDeletions`.
 */
export class DeleteDueTasks {
  /** The last finished task that was looked at; the next turn goes on behind it, past those that must stay. */
  private lookedAt?: FinishedTask;

  constructor(
    private readonly store: DueTaskStore,
    private readonly remover: TreeRemover,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
  ) {}

  /**
   * Takes one turn, if there is something to delete and no other replica has the turn. `done` if it was the last one of
   * a round: all that was due has been looked at, and what is left must stay.
   */
  async execute(): Promise<{ more: false; done: boolean }> {
    const nowMs = this.clock.nowMs();
    const beforeMs = nowMs - this.settings.finishedRetentionMs;
    const expired = await this.store.expired(nowMs, MAX_TASKS);
    const finished = beforeMs < nowMs ? await this.store.finished(beforeMs, this.lookedAt, MAX_TASKS) : [];
    if (expired.length + finished.length === 0) {
      this.lookedAt = undefined;
      return { more: false, done: true };
    }
    if (!(await this.store.takeTurn(TURN_MS))) return { more: false, done: false };
    const isLast = expired.length < MAX_TASKS && finished.length < MAX_TASKS;
    // A task that must stay, because something below it goes on, is looked at again when all others were.
    this.lookedAt = finished.length < MAX_TASKS ? undefined : finished.at(-1);
    const old = finished.map((task) => ({ ...deletionOf(task), finishedBeforeMs: beforeMs }));
    // One that cannot be deleted now delays none of the others.
    await inTurn([...expired.map(deletionOf), ...old], async (tree) => {
      await this.remover.step(tree, OPERATION_TIMEOUT_MS);
    });
    return { more: false, done: isLast };
  }
}

function deletionOf({ taskId, organization }: DueTask): TreeDeletion {
  return { taskId, caller: { organization, name: DELETED_BY } };
}
