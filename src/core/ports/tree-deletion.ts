import type { Caller } from '../domain/caller';
import type { DomainEvent } from '../domain/domain-event';
import type { Task } from '../domain/task';
import type { WriteStamp } from '../domain/version';

/** A task that is to be deleted with everything below it. */
export interface TreeDeletion {
  readonly taskId: string;
  /** On whose behalf. A task of another organisation is missing. */
  readonly caller: Caller;
  /**
   * If it is given, the task is deleted only if it has been finished before this time, and so has everything below it.
   * A sub-task that is added meanwhile is seen.
   */
  readonly finishedBeforeMs?: number;
}

/** What the deletion of a task depends on. */
export type DoomedTask = Pick<Task, 'id' | 'status'>;

/** What is kept and announced of one deleted task. */
export interface TaskDeletion {
  readonly taskId: string;
  readonly stamp: WriteStamp;
  /** In their order; the last one is the `task.deleted` of the task, and its eventId is the stamp's op. */
  readonly events: readonly DomainEvent[];
}

/** One step of the deletion of a tree. */
export interface DeletionStep {
  /** May be empty. */
  readonly deletions: readonly TaskDeletion[];
  /** Whether other steps must follow. */
  readonly more: boolean;
}
