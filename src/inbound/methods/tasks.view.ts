import { isoTime } from '../../core/domain/iso-time';
import type { Task } from '../../core/domain/task';
import type { CountedTask } from '../../core/ports/task-store';
import type { CreatedTask } from '../../core/use-cases/tasks/create-task';
import type { TaskPage } from '../../core/use-cases/tasks/list-tasks';
import { objectOf, orNull, type JsonSchema, type ObjectSchema } from './json-schema';
import { ACTOR_NAME, COUNT, METADATA, PRIORITY, TASK_ID, TASK_STATUS, TASK_TEXT, TIME } from './wire-schemas';

const PARENT_ID: JsonSchema = { ...orNull(TASK_ID), description: 'Null if the task has no parent.' };
const OF_A_NEW_TASK = {
  id: TASK_ID,
  text: TASK_TEXT,
  status: TASK_STATUS,
  priority: PRIORITY,
  metadata: METADATA,
  parentId: PARENT_ID,
  createdAt: TIME,
};

const EXPIRES_AT: JsonSchema = {
  ...TIME,
  description: 'When the task is deleted, with all that belongs to it. Absent without `ttlSeconds`.',
};

export const CREATED_TASK: ObjectSchema = objectOf('CreatedTask', OF_A_NEW_TASK, {
  expiresAt: EXPIRES_AT,
  warnings: { type: 'array', items: { type: 'string' }, minItems: 1, description: 'Of retired parameters.' },
  replayed: { const: true, description: 'Present if an earlier call has created the task.' },
});

export const TASK: ObjectSchema = objectOf(
  'Task',
  {
    ...OF_A_NEW_TASK,
    organization: { type: 'string' },
    createdBy: ACTOR_NAME,
    updatedAt: TIME,
    attachmentCount: { ...COUNT, description: 'Of the attachments that have not expired.' },
  },
  {
    updatedBy: ACTOR_NAME,
    assignedTo: { ...ACTOR_NAME, description: 'The `workerId` of `task.complete`.' },
    completedAt: { ...TIME, description: 'Of a completed or failed task.' },
    completedBy: ACTOR_NAME,
    error: { description: 'Any JSON value: why a failed task failed.' },
    cancelledAt: TIME,
    cancelledBy: ACTOR_NAME,
    expiresAt: EXPIRES_AT,
  },
);

export const UPDATED_TASK: ObjectSchema = objectOf('UpdatedTask', {
  id: TASK_ID,
  text: TASK_TEXT,
  status: TASK_STATUS,
  priority: PRIORITY,
  metadata: METADATA,
  createdAt: TIME,
  updatedAt: TIME,
});

export const COMPLETED_TASK: ObjectSchema = objectOf('CompletedTask', {
  id: TASK_ID,
  status: { type: 'string', enum: ['completed', 'failed'] },
  completedAt: TIME,
});

export const CANCELLED_TASK: ObjectSchema = objectOf(
  'CancelledTask',
  { id: TASK_ID, status: { type: 'string', enum: ['cancelled', 'completed', 'failed'] } },
  { cancelledAt: { ...TIME, description: 'Absent if the task had completed or failed before.' } },
);

export const TASK_PAGE: ObjectSchema = objectOf('TaskPage', {
  tasks: { type: 'array', items: TASK },
  totalCount: { ...COUNT, description: 'Of all tasks that match the filters.' },
  hasMore: { type: 'boolean' },
});

const LIMIT = { ...COUNT, description: 'Absent if there is no limit.' };

export const USAGE: ObjectSchema = objectOf('Usage', {
  tasks: COUNT,
  attachments: { ...COUNT, description: 'Those that have not expired.' },
  bytes: { ...COUNT, description: 'Of their values and contents, in UTF-8.' },
  limits: objectOf('UsageLimits', {}, { attachments: LIMIT, bytes: LIMIT }),
});

export const DELETED_TASK: ObjectSchema = objectOf('DeletedTask', {
  id: TASK_ID,
  deleted: { const: true },
  deletedAt: TIME,
});

export function createdTaskView({ task, warnings, replayed }: CreatedTask): object {
  const { id, text, status, priority, metadata, parentId, createdAtMs, expiresAtMs } = task;
  const createdAt = isoTime(createdAtMs);
  return {
    id,
    text,
    status,
    priority,
    metadata,
    parentId,
    createdAt,
    expiresAt: timeOrNone(expiresAtMs),
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

/** Each member by its name: to copy the others of an object takes longer than all else that is done for a row. */
export function taskView({ task, attachmentCount }: CountedTask): object {
  return {
    id: task.id,
    organization: task.organization,
    text: task.text,
    status: task.status,
    priority: task.priority,
    metadata: task.metadata,
    parentId: task.parentId,
    assignedTo: task.assignedTo,
    createdBy: task.createdBy,
    updatedBy: task.updatedBy,
    completedBy: task.completedBy,
    cancelledBy: task.cancelledBy,
    error: task.error,
    createdAt: isoTime(task.createdAtMs),
    updatedAt: isoTime(task.updatedAtMs),
    completedAt: timeOrNone(task.completedAtMs),
    cancelledAt: timeOrNone(task.cancelledAtMs),
    expiresAt: timeOrNone(task.expiresAtMs),
    attachmentCount,
  };
}

function timeOrNone(epochMs: number | undefined): string | undefined {
  return epochMs === undefined ? undefined : isoTime(epochMs);
}
