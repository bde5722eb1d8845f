import type { DomainEvent } from '../domain/domain-event';
import type { JsonText } from '../domain/json-text';
import type { Usage } from '../domain/quota';
import type { Task, TaskStatus } from '../domain/task';
import type { PutOutcome } from './attachment-store';
import type { AttachmentPut } from './attachment-write';
import type { Room } from './room';
import type { DeletionStep, DoomedTask, TaskDeletion, TreeDeletion } from './tree-deletion';

export interface CountedTask {
  readonly task: Task;
  /** Live attachments; an expired one does not count. */
  readonly attachmentCount: number;
}

export interface TaskListQuery {
  readonly organization: string;
  /** Undefined means any. */
  readonly statuses?: readonly TaskStatus[];
  readonly assignedTo?: string;
  readonly priority?: number;
  /** Null means tasks without a parent. */
  readonly parentId?: string | null;
  readonly limit: number;
  readonly offset: number;
  readonly orderBy: 'createdAt' | 'updatedAt' | 'priority';
  readonly descending: boolean;
  readonly nowMs: number;
  /** For the metadata and the errors; undefined for any size. */
  readonly room?: Room;
}

/**
 * The durable truth about tasks. What `AttachmentStore` promises of durability, refusals, organisations and
 * `StoreError` holds here, too. An id stays taken for ever, even after its task is deleted.
 */
export abstract class TaskStore {
  /** All or nothing, in one round trip: the task, its first attachments and their events. */
  abstract insert(
    task: Task,
    attachments: readonly AttachmentPut[],
    event: DomainEvent,
    timeoutMs: number,
  ): Promise<'inserted' | 'id-taken' | 'parent-missing'>;

  /**
   * When the live task of the same id and organisation was created, if it was inserted with the same text, priority,
   * metadata, parent, time to live, and keys and values of its first attachments, whatever has changed since; undefined
   * otherwise.
   */
  abstract repeated(
    task: Task,
    attachments: readonly AttachmentPut[],
    timeoutMs: number,
  ): Promise<{ readonly createdAtMs: number; readonly expiresAtMs?: number } | undefined>;

  abstract get(
    taskId: string,
    organization: string,
    nowMs: number,
    timeoutMs: number,
  ): Promise<CountedTask | undefined>;

  /**
   * Whether `result` is the value of the attachment that `update` stored last together with the task, whatever has
   * become of the attachment since. An undefined result: whether `update` has never stored an attachment.
   */
  abstract hasResult(
    taskId: string,
    organization: string,
    result: JsonText | undefined,
    timeoutMs: number,
  ): Promise<boolean>;

  /** The organisation of a task, whatever the organisation of the caller; undefined if the task is missing. */
  abstract organizationOf(taskId: string, timeoutMs: number): Promise<string | undefined>;

  /**
   * Replaces the revision `task.revision` - 1 of the task, in one transaction with the attachment and the events; the
   * event of the attachment comes first. `stale`: another revision is there, or none. If the attachment is refused, the
   * whole change is refused.
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

  /**
   * At most `limit` tasks of all organisations, behind the id `afterId` or from the first, by the bytes of their ids.
   */
  abstract inIdOrder(afterId: string | undefined, limit: number): Promise<readonly Task[]>;

  /** Ties of `orderBy` are broken by id. */
  abstract list(
    query: TaskListQuery,
    timeoutMs: number,
  ): Promise<{ tasks: readonly CountedTask[]; totalCount: number }>;

  /**
   * What an organisation has stored. Takes as many round trips as it needs: what changes meanwhile may be counted or
   * not. The cost grows with the attachments of the organisation.
   */
  abstract usage(organization: string, nowMs: number, timeoutMs: number): Promise<Usage>;

  /**
   * Deletes a task for ever, with all its sub-tasks to any depth and all their attachments, in steps: each deletes
   * about `limit` tasks and attachments in one transaction, parents before their children. The first step deletes the
   * task itself, and decides that all others follow: see `unfinishedDeletions`. No write to a task can come after its
   * deletion. `describe` is given the tasks of the step, in their order, and returns what is kept and announced of
   * each. Undefined if the task is missing, unless its deletion has steps to go, or if it, or what is below it, was not
   * finished by the time that `tree` names.
   */
  abstract deleteTree(
    tree: TreeDeletion,
    describe: (tasks: readonly DoomedTask[]) => readonly TaskDeletion[],
    limit: number,
    timeoutMs: number,
  ): Promise<DeletionStep | undefined>;

  /**
   * At most `limit` deletions that have begun `beforeMs` ago or earlier, and have steps to go: organisations in turn,
   * and the oldest of each first.
   */
  abstract unfinishedDeletions(beforeMs: number, limit: number): Promise<readonly TreeDeletion[]>;
}
