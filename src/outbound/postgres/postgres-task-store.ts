import type { DomainEvent } from '../../core/domain/domain-event';
import type { JsonText } from '../../core/domain/json-text';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import type { Usage } from '../../core/domain/quota';
import type { Task, TaskStatus } from '../../core/domain/task';
import type { AttachmentPut } from '../../core/ports/attachment-write';
import { readWithin } from '../system/read-within';
import type { CountedTask, TaskListQuery, TaskStore } from '../../core/ports/task-store';
import type { DeletionStep, DoomedTask, TaskDeletion, TreeDeletion } from '../../core/ports/tree-deletion';
import { countUsage } from './count-usage';
import { identityOf, putJson, refusalOf, timestamp, type WriteRow } from './attachment-row';
import { seen, unseen } from './parameters';
import type { PostgresConnection } from './postgres-connection';
import {
  countedTaskOfRow,
  COUNT_TASKS,
  CREATE_TASK,
  CREATION_FINGERPRINT,
  liveCount,
  TASK_COLUMNS,
  taskColumns,
  taskOfRow,
  taskParameters,
  UPDATE_TASK,
  type TaskRow,
} from './task-row';

const CREATE = `SELECT ${CREATE_TASK.call} AS outcome`;
const UPDATE = `SELECT * FROM ${UPDATE_TASK.call}`;
const GET = `
  SELECT ${TASK_COLUMNS}, ${liveCount('$3')} AS live_count
  FROM tasks t WHERE t.id = $1 AND t.organization = $2 AND t.deleted_version IS NULL`;
const REPEATED = `
  SELECT t.created_at, t.expires_at FROM tasks t
  WHERE t.id = $1 AND t.organization = $2 AND t.deleted_version IS NULL
    AND t.expires_at IS NOT DISTINCT FROM t.created_at + $3 * interval '1 millisecond'
    AND t.creation_fingerprint = ${CREATION_FINGERPRINT.callFrom(4)}`;
const HAS_RESULT = `
  SELECT t.result_fingerprint IS NOT DISTINCT FROM sha256(convert_to($3, 'UTF8')) AS same
  FROM tasks t WHERE t.id = $1 AND t.organization = $2 AND t.deleted_version IS NULL`;
const ORGANIZATION = 'SELECT t.organization FROM tasks t WHERE t.id = $1 AND t.deleted_version IS NULL';
const IN_ID_ORDER = `
  SELECT ${TASK_COLUMNS} FROM tasks t WHERE t.id > $1 AND t.deleted_version IS NULL ORDER BY t.id LIMIT $2`;
/** Without their metadata: that of all tasks of a step may be larger than the memory. */
const LOCK_STEP = 'SELECT t.id, t.status FROM lock_tree_step($1, $2, $3) WITH ORDINALITY AS t ORDER BY t.ordinality';
const IS_FINISHED = 'SELECT is_tree_finished($1, $2, $3) AS finished';
const DELETE_STEP = 'SELECT delete_tree_step($1, $2, $3, $4, $5) AS more';
const UNFINISHED = `
  SELECT root_id, organization, deleted_by, credential_id FROM unfinished_deletions
  WHERE begun_at <= now() - $1 * interval '1 millisecond'
  GROUP BY root_id, organization, deleted_by, credential_id
  ORDER BY row_number() OVER (PARTITION BY organization ORDER BY min(begun_at)), min(begun_at) LIMIT $2`;

/** Behind so many tasks, those that a page passes by are read from an index alone, and its own by their ids. */
const DEEP_OFFSET = 1000;

const ORDER_COLUMNS = { createdAt: 't.created_at', updatedAt: 't.updated_at', priority: 't.priority' } as const;

/** In the words of the indexes that have no other tasks: PostgreSQL cannot see it in a parameter. */
const IS_UNFINISHED = "t.status IN ('pending', 'in_progress')";
const UNFINISHED_STATUSES: readonly TaskStatus[] = ['pending', 'in_progress'];

/** Of the task row `p`. */
const JSON_BYTES = 'octet_length(p.metadata::text) + coalesce(octet_length(p.error::text), 0)';

type CountedRow = TaskRow & { live_count: number };

export class PostgresTaskStore implements TaskStore {
  constructor(private readonly connection: PostgresConnection) {}

  async insert(task: Task, attachments: readonly AttachmentPut[], event: DomainEvent, timeoutMs: number) {
    const values = CREATE_TASK.values({
      ...taskParameters(task),
      expires_at: timestamp(task.expiresAtMs),
      event: JSON.stringify(event),
      puts: JSON.stringify(attachments.map(putJson)),
    });
    type Row = { outcome: 'inserted' | 'id-taken' | 'parent-missing' };
    const [row] = (await this.connection.change<Row>(CREATE, values, timeoutMs, task.organization)) as [Row];
    return row.outcome;
  }

  async repeated(task: Task, attachments: readonly AttachmentPut[], timeoutMs: number) {
    const puts = JSON.stringify(attachments.map(putJson));
    const ttlMs = task.expiresAtMs === undefined ? null : task.expiresAtMs - task.createdAtMs;
    const parts = CREATION_FINGERPRINT.values({ ...taskParameters(task), puts });
    const values = [task.id, task.organization, ttlMs, ...parts];
    type Row = Pick<TaskRow, 'created_at' | 'expires_at'>;
    const [row] = await this.connection.query<Row>(REPEATED, values, timeoutMs, task.organization);
    return row && { createdAtMs: row.created_at.getTime(), expiresAtMs: row.expires_at?.getTime() };
  }

  async get(taskId: string, organization: string, nowMs: number, timeoutMs: number): Promise<CountedTask | undefined> {
    const [row] = await this.connection.query<CountedRow>(
      GET,
      [taskId, organization, timestamp(nowMs)],
      timeoutMs,
      organization,
    );
    return row && countedTaskOfRow(row);
  }

  async hasResult(
    taskId: string,
    organization: string,
    result: JsonText | undefined,
    timeoutMs: number,
  ): Promise<boolean> {
    const values = [taskId, organization, result?.text];
    const [row] = await this.connection.query<{ same: boolean }>(HAS_RESULT, values, timeoutMs, organization);
    return row?.same ?? false;
  }

  async organizationOf(taskId: string, timeoutMs: number): Promise<string | undefined> {
    const [row] = await this.connection.query<{ organization: string }>(ORGANIZATION, [taskId], timeoutMs);
    return row?.organization;
  }

  async update(
    task: Task,
    event: DomainEvent,
    attachment: AttachmentPut | undefined,
    timeoutMs: number,
  ): ReturnType<TaskStore['update']> {
    const values = UPDATE_TASK.values({
      ...taskParameters(task),
      event: JSON.stringify(event),
      put: attachment && JSON.stringify(putJson(attachment)),
      max_attachments: MAX_ATTACHMENTS_PER_TASK,
    });
    const [row] = (await this.connection.change<WriteRow>(UPDATE, values, timeoutMs, task.organization)) as [WriteRow];
    if (row.state === 'stale') return { state: 'stale' };
    if (row.state !== 'updated') return refusalOf(row);
    if (!attachment) return { state: 'updated' };
    return {
      state: 'updated',
      attachment: { state: 'applied', identity: identityOf(row), replaced: row.replaced },
    };
  }

  async inIdOrder(afterId: string | undefined, limit: number): Promise<readonly Task[]> {
    const rows = await this.connection.query<TaskRow>(IN_ID_ORDER, [afterId ?? '', limit]);
    return rows.map(taskOfRow);
  }

  async list(query: TaskListQuery, timeoutMs: number): Promise<{ tasks: readonly CountedTask[]; totalCount: number }> {
    const { text, values } = listStatement(query);
    type Row = { total: number; json_bytes: number | null } & (CountedRow | { id: null });
    const rows = await readWithin(query.room, query.limit, async (maxBytes) => {
      const read = await this.connection.query<Row>(text, [...values, maxBytes], timeoutMs, query.organization);
      query.room?.countRows(read.length);
      const bytes = read[0]?.json_bytes ?? 0;
      return bytes > maxBytes ? bytes : read;
    });
    const found = rows.filter((row): row is Extract<Row, CountedRow> => row.id !== null);
    return { tasks: found.map(countedTaskOfRow), totalCount: rows[0]?.total ?? 0 };
  }

  usage(organization: string, nowMs: number, timeoutMs: number): Promise<Usage> {
    return countUsage(this.connection, organization, nowMs, timeoutMs);
  }

  deleteTree(
    { taskId, caller: { organization, name, credentialId }, finishedBeforeMs }: TreeDeletion,
    describe: (tasks: readonly DoomedTask[]) => readonly TaskDeletion[],
    limit: number,
    timeoutMs: number,
  ): Promise<DeletionStep | undefined> {
    return this.connection.transaction(
      async (query) => {
        const tasks = await query<DoomedTask>(LOCK_STEP, [taskId, organization, limit]);
        if (finishedBeforeMs !== undefined) {
          const values = [taskId, organization, timestamp(finishedBeforeMs)];
          const [tree] = await query<{ finished: boolean }>(IS_FINISHED, values);
          if (!tree?.finished) return undefined;
        }
        const deletions = tasks.length > 0 ? describe(tasks) : [];
        const json = JSON.stringify(deletions.map(deletionRow));
        const values = [taskId, organization, name, credentialId, json];
        const [step] = await query<{ more: boolean }>(DELETE_STEP, values);
        const more = step?.more === true;
        return deletions.length > 0 || more ? { deletions, more } : undefined;
      },
      timeoutMs,
      organization,
    );
  }

  async unfinishedDeletions(beforeMs: number, limit: number): Promise<readonly TreeDeletion[]> {
    type Row = { root_id: string; organization: string; deleted_by: string; credential_id: string | null };
    const rows = await this.connection.query<Row>(UNFINISHED, [beforeMs, limit]);
    return rows.map(({ root_id, organization, deleted_by, credential_id }) => ({
      taskId: root_id,
      caller: { organization, name: deleted_by, credentialId: credential_id ?? undefined },
    }));
  }
}

function deletionRow({ taskId, stamp, events }: TaskDeletion) {
  return { task_id: taskId, version: stamp.version, op_id: stamp.op, events };
}

/**
 * One page and the total, which stands in a row of nulls if the page is empty. It is planned at each call where that is
 * worth it: a parent, a worker or a priority may have any part of the tasks, and a page far behind the first one passes
 * by many.
 */
function listStatement(query: TaskListQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [query.organization, timestamp(query.nowMs), query.limit, query.offset];
  const { statuses, assignedTo, priority, parentId } = query;
  const isDeep = query.offset >= DEEP_OFFSET;
  const isOfSome = assignedTo !== undefined || priority !== undefined || typeof parentId === 'string';
  const placed = isDeep || isOfSome ? seen : unseen;
  const given = (value: unknown, type: string) => placed(`$${values.push(value)}`, type);
  const conditions = [`t.organization = ${placed('$1', 'text')}`, 't.deleted_version IS NULL'];
  if (statuses) conditions.push(`t.status = ANY (${given(statuses, 'text[]')}::text[])`);
  if (statuses?.every((status) => UNFINISHED_STATUSES.includes(status))) conditions.push(IS_UNFINISHED);
  if (assignedTo !== undefined) conditions.push(`t.assigned_to = ${given(assignedTo, 'text')}`);
  if (priority !== undefined) conditions.push(`t.priority = ${given(priority, 'smallint')}`);
  if (parentId === null) conditions.push('t.parent_id IS NULL');
  else if (parentId !== undefined) conditions.push(`t.parent_id = ${given(parentId, 'text')}`);
  const matching = `FROM tasks t WHERE ${conditions.join(' AND ')}`;
  const direction = query.descending ? 'DESC' : 'ASC';
  const order = `ORDER BY ${ORDER_COLUMNS[query.orderBy]} ${direction}, t.id ${direction}`;
  const range = `LIMIT ${placed('$3', 'bigint')} OFFSET ${placed('$4', 'bigint')}`;
  const found = `SELECT ${isDeep ? 't.id' : 't.*'} ${matching} ${order} ${range}`;
  const byId = 'LATERAL (SELECT * FROM tasks WHERE id = found.id LIMIT 1) AS t';
  const page = isDeep ? `SELECT t.* FROM (${found}) AS found CROSS JOIN ${byId}` : found;
  const counted = keptCount(query, values) ?? `(SELECT count(*)::integer AS total ${matching})`;
  return {
    text: `
      SELECT total, json_bytes, ${taskColumns(`t.json_bytes <= $${values.length + 1}::float8`)},
        ${liveCount(placed('$2', 'timestamptz'))} AS live_count
      FROM ${counted} AS counted(total)
      LEFT JOIN (
        SELECT p.*, sum(${JSON_BYTES}) OVER ()::float8 AS json_bytes
        FROM (${page}) AS p
      ) AS t ON true
      ${order}`,
    values,
  };
}

/** Undefined if the database keeps no count of what the filters leave. */
function keptCount(
  { organization, statuses, assignedTo, priority, parentId }: TaskListQuery,
  values: unknown[],
): string | undefined {
  if (assignedTo !== undefined || typeof parentId === 'string') return undefined;
  const kinds = { organization, statuses, priority, is_root: parentId === null ? true : undefined };
  const first = values.length + 1;
  values.push(...COUNT_TASKS.values(kinds));
  return COUNT_TASKS.callFrom(first);
}
