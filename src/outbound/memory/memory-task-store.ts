import type { DomainEvent } from '../../core/domain/domain-event';
import type { JsonText } from '../../core/domain/json-text';
import type { Usage } from '../../core/domain/quota';
import type { Task } from '../../core/domain/task';
import type { AttachmentPut } from '../../core/ports/attachment-write';
import type { CountedTask, TaskListQuery, TaskStore } from '../../core/ports/task-store';
import type { DeletionStep, TreeDeletion } from '../../core/ports/tree-deletion';
import { inTurnOf } from './in-turn-of';
import type { MemoryDatabase } from './memory-database';
import { finishedAtMsOf } from './memory-due-task-store';

export class MemoryTaskStore implements TaskStore {
  constructor(private readonly database: MemoryDatabase) {}

  insert(task: Task, attachments: readonly AttachmentPut[], event: DomainEvent): ReturnType<TaskStore['insert']> {
    const write = () => {
      const parentMissing = task.parentId !== null && !this.database.task(task.parentId, task.organization);
      if (parentMissing) return 'parent-missing';
      if (this.database.isTaken(task.id)) return 'id-taken';
      this.database.storeTask(task);
      this.database.creations.set(task.id, creationOf(task, attachments));
      this.database.recordOfTask(task.id, event);
      for (const put of attachments) this.database.put(put, undefined, task.createdAtMs);
      return 'inserted';
    };
    return Promise.resolve(this.database.transaction(write));
  }

  repeated(task: Task, attachments: readonly AttachmentPut[]): ReturnType<TaskStore['repeated']> {
    const stored = this.database.task(task.id, task.organization);
    const isSame = this.database.creations.get(task.id) === creationOf(task, attachments);
    return Promise.resolve(
      stored && isSame ? { createdAtMs: stored.createdAtMs, expiresAtMs: stored.expiresAtMs } : undefined,
    );
  }

  get(taskId: string, organization: string, nowMs: number): Promise<CountedTask | undefined> {
    const task = this.database.task(taskId, organization);
    return Promise.resolve(task && this.counted(task, nowMs));
  }

  hasResult(taskId: string, organization: string, result: JsonText | undefined): Promise<boolean> {
    const task = this.database.task(taskId, organization);
    return Promise.resolve(task !== undefined && this.database.results.get(taskId) === result?.text);
  }

  organizationOf(taskId: string): Promise<string | undefined> {
    return Promise.resolve(this.database.task(taskId)?.organization);
  }

  update(task: Task, event: DomainEvent, attachment: AttachmentPut | undefined): ReturnType<TaskStore['update']> {
    const write = (): Awaited<ReturnType<TaskStore['update']>> => {
      const stored = this.database.task(task.id, task.organization);
      if (stored?.revision !== task.revision - 1) return { state: 'stale' };
      const put = attachment && this.database.put(attachment, undefined, task.updatedAtMs);
      if (put && put.state !== 'applied') return put;
      this.database.storeTask(task);
      const result = attachment?.attachment.value;
      if (result) this.database.results.set(task.id, result.text);
      this.database.recordOfTask(task.id, event);
      return put ? { state: 'updated', attachment: put } : { state: 'updated' };
    };
    return Promise.resolve(this.database.transaction(write));
  }

  inIdOrder(afterId: string | undefined, limit: number): Promise<readonly Task[]> {
    const behind = this.database.liveTasks().filter(({ id }) => afterId === undefined || id > afterId);
    return Promise.resolve(behind.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit));
  }

  async list(query: TaskListQuery): Promise<{ tasks: readonly CountedTask[]; totalCount: number }> {
    const matching = this.database
      .liveTasks()
      .filter((task) => matches(task, query))
      .sort((a, b) => orderOf(a, query) - orderOf(b, query) || (a.id < b.id ? -1 : 1));
    if (query.descending) matching.reverse();
    const page = matching.slice(query.offset, query.offset + query.limit);
    const sizes = page.map(({ metadata, error }) => metadata.sizeBytes + (error?.sizeBytes ?? 0));
    query.room?.countRows(page.length);
    query.room?.take(sizes.reduce((sum, bytes) => sum + bytes, 0));
    const tasks = page.map((task) => this.counted(task, query.nowMs));
    return Promise.resolve({ tasks, totalCount: matching.length });
  }

  usage(organization: string, nowMs: number): Promise<Usage> {
    const tasks = this.database.liveTasks().filter((task) => task.organization === organization);
    const attachments = tasks.flatMap(({ id }) => this.database.liveAttachments(id, nowMs));
    const bytes = attachments.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
    return Promise.resolve({ tasks: tasks.length, attachments: attachments.length, bytes });
  }

  /** Asynchronous, so that an exception from `describe` becomes a rejection. */
  async deleteTree(...step: Parameters<TaskStore['deleteTree']>): Promise<DeletionStep | undefined> {
    return Promise.resolve(this.database.transaction(() => this.deleteNextOfTree(...step)));
  }

  unfinishedDeletions(beforeMs: number, limit: number): Promise<readonly TreeDeletion[]> {
    const old = this.database.treeDeletions.begunUntil(this.database.nowMs - beforeMs);
    return Promise.resolve(inTurnOf(old, ({ caller }) => caller.organization).slice(0, limit));
  }

  private deleteNextOfTree(...[tree, describe, limit]: Parameters<TaskStore['deleteTree']>): DeletionStep | undefined {
    const { treeDeletions } = this.database;
    const unfinished = treeDeletions.of(tree);
    const root = this.database.task(tree.taskId, tree.caller.organization);
    const isMissing = !root || (root.parentId !== null && this.database.isDeleted(root.parentId));
    if (isMissing && unfinished.length === 0) return undefined;
    const tasks = this.nextOfTree(isMissing ? unfinished.map(({ taskId }) => taskId) : root, limit);
    if (tree.finishedBeforeMs !== undefined && !this.isTreeFinished(root, tree.finishedBeforeMs)) return undefined;
    const begunAtMs = treeDeletions.begunAtMs(tree) ?? this.database.nowMs;
    treeDeletions.add(
      tasks.map(({ id }) => ({ taskId: id, ancestors: this.database.ancestorsOf(id), tree, begunAtMs })),
    );
    const deletions = tasks.length > 0 ? describe(tasks.map(({ id, status }) => ({ id, status }))) : [];
    for (const { taskId, stamp, events } of deletions) {
      for (const event of events) {
        if (event.metadata.eventId !== stamp.op) this.database.recordOfTask(taskId, event);
        else this.database.record({ taskId, version: stamp.version, kind: 'task-deleted', event });
      }
    }
    // A record looks for the tasks above its own, so they are there until all is recorded.
    for (const { taskId } of deletions) this.database.deleteTask(taskId);
    const children = new Set(this.database.liveTasks().map(({ parentId }) => parentId));
    treeDeletions.keep((taskId) => children.has(taskId));
    return { deletions, more: treeDeletions.of(tree).length > 0 };
  }

  /** From the root, or from the sub-tasks of deleted parents. Each task and each attachment counts. */
  private nextOfTree(start: Task | readonly string[], limit: number): Task[] {
    const tasks: Task[] = [];
    let room = limit;
    const take = (task: Task) => {
      tasks.push(task);
      room -= 1 + this.database.attachmentCount(task.id);
    };
    const parents = 'id' in start ? [start.id] : [...start];
    if ('id' in start) take(start);
    const live = this.database.liveTasks().sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const parent of parents) {
      for (const child of live.filter(({ parentId }) => parentId === parent)) {
        if (room <= 0) return tasks;
        take(child);
        parents.push(child.id);
      }
    }
    return tasks;
  }

  /** Of a task that is missing, nothing goes on. */
  private isTreeFinished(root: Task | undefined, beforeMs: number): boolean {
    const tree = root ? this.nextOfTree(root, Infinity) : [];
    return tree.every((task) => finishedAtMsOf(task) < beforeMs);
  }

  private counted(task: Task, nowMs: number): CountedTask {
    return { task, attachmentCount: this.database.liveAttachments(task.id, nowMs).length };
  }
}

function creationOf(task: Task, attachments: readonly AttachmentPut[]): string {
  const { text, priority, metadata, parentId, createdAtMs, expiresAtMs } = task;
  const ttlMs = expiresAtMs && expiresAtMs - createdAtMs;
  const values = attachments.map(({ attachment }) => [attachment.key, attachment.value?.text]);
  return JSON.stringify([text, priority, metadata.text, parentId, ttlMs, values]);
}

function matches(task: Task, { organization, statuses, assignedTo, priority, parentId }: TaskListQuery): boolean {
  return (
    task.organization === organization &&
    (statuses === undefined || statuses.includes(task.status)) &&
    (assignedTo === undefined || task.assignedTo === assignedTo) &&
    (priority === undefined || task.priority === priority) &&
    (parentId === undefined || task.parentId === parentId)
  );
}

function orderOf(task: Task, { orderBy }: TaskListQuery): number {
  return { createdAt: task.createdAtMs, updatedAt: task.updatedAtMs, priority: task.priority }[orderBy];
}
