import type { Task, TaskStatus } from '../../core/domain/task';
import { JsonText } from '../../core/domain/json-text';
import type { CountedTask } from '../../core/ports/task-store';
import { timestamp } from './attachment-row';

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
}

export const TASK_COLUMNS = `t.id, t.organization, t.text, t.status, t.priority, t.metadata::text, t.parent_id,
  t.assigned_to, t.created_at, t.created_by, t.updated_at, t.updated_by, t.completed_at, t.completed_by, t.cancelled_at,
  t.cancelled_by, t.error::text, t.revision`;

/** How many attachments of the task row `t` have not expired: costs as much as it has expired ones. */
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
  };
}

/** The first parameters of `create_task` and `update_task`. */
export function taskParameters(task: Task): unknown[] {
  return [
    task.id,
    task.organization,
    task.text,
    task.status,
    task.priority,
    task.metadata.text,
    task.parentId,
    task.assignedTo,
    timestamp(task.createdAtMs),
    task.createdBy,
    timestamp(task.updatedAtMs),
    task.updatedBy,
    timestamp(task.completedAtMs),
    task.completedBy,
    timestamp(task.cancelledAtMs),
    task.cancelledBy,
    task.error?.text,
    task.revision,
  ];
}
