import type { Task, TaskStatus } from '../../core/domain/task';
import { JsonText } from '../../core/domain/json-text';
import type { CountedTask } from '../../core/ports/task-store';
import { timestamp } from './attachment-row';
import { SqlFunction } from './sql-function';

/** A live row of tasks, as selected by `TASK_COLUMNS`. */
export interface TaskRow {
  id: string;
  organization: string;
  text: string;
  status: TaskStatus;
  priority: number;
  metadata: string;
  parent_id: string | null;
  assigned_to: string | null;
  created_at: Date;
  created_by: string;
  updated_at: Date;
  updated_by: string | null;
  completed_at: Date | null;
  completed_by: string | null;
  cancelled_at: Date | null;
  cancelled_by: string | null;
  error: string | null;
  revision: number;
  expires_at: Date | null;
}

const COLUMNS = [
  'id',
  'organization',
  'text',
  'status',
  'priority',
  'metadata',
  'parent_id',
  'assigned_to',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
  'completed_at',
  'completed_by',
  'cancelled_at',
  'cancelled_by',
  'error',
  'revision',
] as const;

export const CREATE_TASK = new SqlFunction('create_task', [...COLUMNS, 'expires_at', 'event', 'puts']);
export const CREATION_FINGERPRINT = new SqlFunction('creation_fingerprint', [
  'text',
  'priority',
  'metadata',
  'parent_id',
  'puts',
]);
export const COUNT_TASKS = new SqlFunction('count_tasks', ['organization', 'statuses', 'priority', 'is_root']);
export const UPDATE_TASK = new SqlFunction('update_task', [...COLUMNS, 'event', 'put', 'max_attachments']);

/** Of the task row `t`; with what may be large only if `json`, a condition, holds. */
export function taskColumns(json: string): string {
  const column = (name: string) => `CASE WHEN ${json} THEN t.${name}::text END AS ${name}`;
  return `t.id, t.organization, t.text, t.status, t.priority, ${column('metadata')}, t.parent_id, t.assigned_to,
    t.created_at, t.created_by, t.updated_at, t.updated_by, t.completed_at, t.completed_by, t.cancelled_at,
    t.cancelled_by, ${column('error')}, t.revision, t.expires_at`;
}

export const TASK_COLUMNS = taskColumns('true');

/** How many attachments of the task row `t` have not expired. Its cost grows with the expired ones. */
export function liveCount(now: string): string {
  return `(t.attachment_count - (
    SELECT count(*)::integer FROM task_attachments x WHERE x.task_id = t.id AND x.expires_at <= ${now}
  ))`;
}

export function countedTaskOfRow(row: TaskRow & { live_count: number }): CountedTask {
  return { task: taskOfRow(row), attachmentCount: row.live_count };
}

export function taskOfRow(row: TaskRow): Task {
  return {
    id: row.id,
    organization: row.organization,
    text: row.text,
    status: row.status,
    priority: row.priority,
    metadata: JsonText.restore(row.metadata),
    parentId: row.parent_id,
    assignedTo: row.assigned_to ?? undefined,
    createdAtMs: row.created_at.getTime(),
    createdBy: row.created_by,
    updatedAtMs: row.updated_at.getTime(),
    updatedBy: row.updated_by ?? undefined,
    completedAtMs: row.completed_at?.getTime(),
    completedBy: row.completed_by ?? undefined,
    cancelledAtMs: row.cancelled_at?.getTime(),
    cancelledBy: row.cancelled_by ?? undefined,
    error: row.error === null ? undefined : JsonText.restore(row.error),
    revision: row.revision,
    expiresAtMs: row.expires_at?.getTime(),
  };
}

/** The parameters of `create_task` and `update_task` that are the task's row. */
export function taskParameters(task: Task): Record<(typeof COLUMNS)[number], unknown> {
  return {
    id: task.id,
    organization: task.organization,
    text: task.text,
    status: task.status,
    priority: task.priority,
    metadata: task.metadata.text,
    parent_id: task.parentId,
    assigned_to: task.assignedTo,
    created_at: timestamp(task.createdAtMs),
    created_by: task.createdBy,
    updated_at: timestamp(task.updatedAtMs),
    updated_by: task.updatedBy,
    completed_at: timestamp(task.completedAtMs),
    completed_by: task.completedBy,
    cancelled_at: timestamp(task.cancelledAtMs),
    cancelled_by: task.cancelledBy,
    error: task.error?.text,
    revision: task.revision,
  };
}
