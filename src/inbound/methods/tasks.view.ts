import { isoTime } from '../../core/domain/domain-event';
import type { Task } from '../../core/domain/task';
import type { CountedTask } from '../../core/ports/task-store';
import type { CreatedTask } from '../../core/use-cases/tasks/create-task';
import type { TaskPage } from '../../core/use-cases/tasks/list-tasks';

export function createdTaskView({ task, warnings, replayed }: CreatedTask): object {
  const { id, text, status, priority, metadata, parentId, createdAtMs } = task;
  const createdAt = isoTime(createdAtMs);
  return {
    id,
    text,
    status,
    priority,
    metadata,
    parentId,
    createdAt,
    warnings: warnings.length ? warnings : undefined,
    replayed,
  };
}

export function updatedTaskView(task: Task): object {
  const { id, text, status, priority, metadata, createdAtMs, updatedAtMs } = task;
  return { id, text, status, priority, metadata, createdAt: isoTime(createdAtMs), updatedAt: isoTime(updatedAtMs) };
}

export function completedTaskView({ id, status, completedAtMs }: Task): object {
  return { id, status, completedAt: timeOrNone(completedAtMs) };
}

/** `cancelledAt` is absent if the task had completed or failed before. */
export function cancelledTaskView({ id, status, cancelledAtMs }: Task): object {
  return { id, status, cancelledAt: timeOrNone(cancelledAtMs) };
}

export function deletedTaskView({ taskId, deletedAtMs }: { taskId: string; deletedAtMs: number }): object {
  return { id: taskId, deleted: true, deletedAt: isoTime(deletedAtMs) };
}

export function taskPageView({ tasks, totalCount, hasMore }: TaskPage): object {
  return { tasks: tasks.map(taskView), totalCount, hasMore };
}

export function taskView({ task, attachmentCount }: CountedTask): object {
  const { createdAtMs, updatedAtMs, completedAtMs, cancelledAtMs, revision: _revision, ...members } = task;
  return {
    ...members,
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    completedAt: timeOrNone(completedAtMs),
    cancelledAt: timeOrNone(cancelledAtMs),
    attachmentCount,
  };
}

function timeOrNone(epochMs: number | undefined): string | undefined {
  return epochMs === undefined ? undefined : isoTime(epochMs);
}
