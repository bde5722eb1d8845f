import type { DomainEvent } from '../domain/domain-event';
import type { Task, TaskStatus } from '../domain/task';
import type { WriteStamp } from '../domain/version';
import type { PutOutcome } from './attachment-store';
import type { AttachmentPut } from './attachment-write';

export interface CountedTask {
  readonly task: Task;
  /** Live attachments; an expired one does not count. */
  readonly attachmentCount: number;
}

export interface TaskListQuery {
  readonly organization: string;
  readonly status?: TaskStatus;
  readonly assignedTo?: string;
  readonly priority?: number;
  readonly parentId?: string;
  readonly limit: number;
  readonly offset: number;
  readonly orderBy: 'createdAt' | 'updatedAt' | 'priority';
  readonly descending: boolean;
  readonly nowMs: number;
}

/** What is kept of one deleted task, and announced of it, in this order. */
export interface TaskDeletion {
  readonly taskId: string;
  readonly stamp: WriteStamp;
  /** Ends with the task's own `task.deleted`, whose eventId is the stamp's op. */
  readonly events: readonly DomainEvent[];
}

/**
 * The durable truth about tasks. What is said of durability, refusals, organisations and `StoreError` in
 * `AttachmentStore` holds here too. An id stays taken for ever, also when its task is deleted.
 */
export abstract class TaskStore {
  /** All or nothing, in one round trip: the task, its first attachments and their events. */
  abstract insert(
    task: Task,
    attachments: readonly AttachmentPut[],
    event: DomainEvent,
    timeoutMs: number,
  ): Promise<'inserted' | 'id-taken' | 'parent-missing'>;

  abstract get(
    taskId: string,
    organization: string,
    nowMs: number,
    timeoutMs: number,
  ): Promise<CountedTask | undefined>;

  /** Whose a task is, whoever asks; undefined where it is missing. */
  abstract organizationOf(taskId: string, timeoutMs: number): Promise<string | undefined>;

  /**
   * Replaces the task's revision `task.revision` - 1, in one transaction with the attachment and the events; the
   * attachment's event comes first. `stale`: another revision is there, or none. A refusal of the attachment refuses
   * the whole change.
   */
  abstract update(
    task: Task,
    event: DomainEvent,
    attachment: AttachmentPut | undefined,
    timeoutMs: number,
  ): Promise<
    | { state: 'updated'; attachment?: PutOutcome & { state: 'applied' } }
    | { state: 'stale' }
    | Exclude<PutOutcome, { state: 'applied' }>
  >;

  /** At most `limit` tasks of all organisations, behind the id `afterId` or from the first, by the bytes of their ids. */
  abstract inIdOrder(afterId: string | undefined, limit: number): Promise<readonly Task[]>;

  /** Ties of `orderBy` are broken by id. */
  abstract list(
    query: TaskListQuery,
    timeoutMs: number,
  ): Promise<{ tasks: readonly CountedTask[]; totalCount: number }>;

  /**
   * Deletes a task for ever, with all its sub-tasks to any depth and all their attachments, in one transaction that no
   * write to any of them can slip into. `describe` is given the tasks, parents before their children, and says what is
   * kept and announced of each. Returns what `describe` said; undefined where the task is missing.
   */
  abstract deleteTree(
    taskId: string,
    organization: string,
    describe: (tasks: readonly Task[]) => readonly TaskDeletion[],
    timeoutMs: number,
  ): Promise<readonly TaskDeletion[] | undefined>;
}
