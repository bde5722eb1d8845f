import type { Task } from '../../core/domain/task';
import type { DueTask, DueTaskStore, FinishedTask } from '../../core/ports/due-task-store';
import { inTurnOf } from './in-turn-of';
import type { MemoryDatabase } from './memory-database';

export class MemoryDueTaskStore implements DueTaskStore {
  constructor(private readonly database: MemoryDatabase) {}

  expired(nowMs: number, limit: number): Promise<readonly DueTask[]> {
    const due = this.database.liveTasks().flatMap((task) => {
      const { expiresAtMs = Infinity } = task;
      return expiresAtMs <= nowMs ? [{ ...dueTaskOf(task), atMs: expiresAtMs }] : [];
    });
    due.sort((a, b) => a.atMs - b.atMs || compareIds(a, b));
    const inTurn = inTurnOf(due, ({ organization }) => organization);
    return Promise.resolve(inTurn.slice(0, limit).map(({ taskId, organization }) => ({ taskId, organization })));
  }

  finished(beforeMs: number, after: FinishedTask | undefined, limit: number): Promise<readonly FinishedTask[]> {
    const finished = this.database.liveTasks().flatMap((task) => {
      const finishedAtMs = finishedAtMsOf(task);
      return finishedAtMs < beforeMs ? [{ ...dueTaskOf(task), finishedAtMs }] : [];
    });
    const behind = finished.filter((task) => after === undefined || compareFinished(task, after) > 0);
    return Promise.resolve(behind.sort(compareFinished).slice(0, limit));
  }

  takeTurn(lengthMs: number): Promise<boolean> {
    return Promise.resolve(this.database.treeDeletions.takeTurn(this.database.nowMs, lengthMs));
  }
}

/** Infinity unless the task is finished. */
export function finishedAtMsOf({ completedAtMs, cancelledAtMs }: Task): number {
  return completedAtMs ?? cancelledAtMs ?? Infinity;
}

function dueTaskOf({ id, organization }: Task): DueTask {
  return { taskId: id, organization };
}

function compareFinished(a: FinishedTask, b: FinishedTask): number {
  return a.finishedAtMs - b.finishedAtMs || compareIds(a, b);
}

function compareIds(a: DueTask, b: DueTask): number {
  return a.taskId < b.taskId ? -1 : Number(a.taskId > b.taskId);
}
