import type { DomainEvent } from '../../core/domain/domain-event';
import type { JsonText } from '../../core/domain/json-text';
import type { Task } from '../../core/domain/task';
import type { AttachmentPut } from '../../core/ports/attachment-write';
import type { CountedTask, TaskDeletion, TaskListQuery, TaskStore } from '../../core/ports/task-store';
import type { MemoryDatabase } from './memory-database';

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

  repeated(task: Task, attachments: readonly AttachmentPut[]): Promise<{ createdAtMs: number } | undefined> {
    const stored = this.database.task(task.id, task.organization);
    const isSame = this.database.creations.get(task.id) === creationOf(task, attachments);
    return Promise.resolve(stored && isSame ? { createdAtMs: stored.createdAtMs } : undefined);
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
    query.room?.take(sizes.reduce((sum, bytes) => sum + bytes, 0));
    const tasks = page.map((task) => this.counted(task, query.nowMs));
    return Promise.resolve({ tasks, totalCount: matching.length });
  }

  /** Asynchronous, so that an exception from `describe` becomes a rejection. */
  async deleteTree(
    taskId: string,
    organization: string,
    describe: (tasks: readonly Task[]) => readonly TaskDeletion[],
  ): Promise<readonly TaskDeletion[] | undefined> {
    return Promise.resolve(this.database.transaction(() => this.deleteTreeNow(taskId, organization, describe)));
  }

  private deleteTreeNow(
    taskId: string,
    organization: string,
    describe: (tasks: readonly Task[]) => readonly TaskDeletion[],
  ): readonly TaskDeletion[] | undefined {
    if (!this.database.task(taskId, organization)) return undefined;
    const tree = new Map<string, Task>();
    for (const task of this.database.liveTasks()) {
      if (task.id === taskId || (task.parentId !== null && tree.has(task.parentId))) tree.set(task.id, task);
    }
    const deletions = describe([...tree.values()]);
    for (const { taskId, stamp, events } of deletions) {
      for (const event of events) {
        if (event.metadata.eventId !== stamp.op) this.database.recordOfTask(taskId, event);
        else this.database.record({ taskId, version: stamp.version, kind: 'task-deleted', event });
      }
    }
    // A record looks for the tasks above its own, so they are there until all is recorded.
    for (const { taskId } of deletions) this.database.deleteTask(taskId);
    return deletions;
  }

  private counted(task: Task, nowMs: number): CountedTask {
    return { task, attachmentCount: this.database.liveAttachments(task.id, nowMs).length };
  }
}

function creationOf({ text, priority, metadata, parentId }: Task, attachments: readonly AttachmentPut[]): string {
  const values = attachments.map(({ attachment }) => [attachment.key, attachment.value?.text]);
  return JSON.stringify([text, priority, metadata.text, parentId, values]);
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
