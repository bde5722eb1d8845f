import { randomUUID } from 'node:crypto';
import { taskCreated } from '../../src/core/domain/domain-event';
import type { Task } from '../../src/core/domain/task';
import type { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { SqlFunction } from '../../src/outbound/postgres/sql-function';
import { taskParameters } from '../../src/outbound/postgres/task-row';
import { aTask } from './attachment-store.harness';

const CREATE_TASK = new SqlFunction('create_task', [
  ...['id', 'organization', 'text', 'status', 'priority', 'metadata', 'parent_id', 'assigned_to', 'created_at'],
  ...[
    'created_by',
    'updated_at',
    'updated_by',
    'completed_at',
    'completed_by',
    'cancelled_at',
    'cancelled_by',
    'error',
  ],
  ...['revision', 'event', 'puts'],
]);

/** Creates a task as the releases did that knew no time to live; returns the outcome. */
export async function createByEarlier(connection: PostgresConnection, task: Task): Promise<string | undefined> {
  const event = JSON.stringify(taskCreated(task, randomUUID()));
  const values = CREATE_TASK.values({ ...taskParameters(task), event, puts: '[]' });
  const [row] = await connection.query<{ outcome: string }>(`SELECT ${CREATE_TASK.call} AS outcome`, values);
  return row?.outcome;
}

/** Stores a new task in a schema of an earlier release, and returns it. */
export async function storedByEarlier(connection: PostgresConnection): Promise<Task> {
  const task = aTask();
  expect(await createByEarlier(connection, task)).toBe('inserted');
  return task;
}
