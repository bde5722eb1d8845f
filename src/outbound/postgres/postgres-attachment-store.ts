import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import { MAX_ATTACHMENTS_PER_TASK } from '../../core/domain/limits';
import type {
  AttachmentDeletion,
  AttachmentListQuery,
  AttachmentPut,
  AttachmentStore,
  DeleteOutcome,
  PutOutcome,
  WriteCondition,
} from '../../core/ports/attachment-store';
import {
  attachmentColumns,
  attachmentOfRow,
  isLiveRow,
  putOutcomeOf,
  putParameters,
  refusalOf,
  timestamp,
  type AttachmentRow,
  type WriteRow,
} from './attachment-row';
import type { PostgresConnection } from './postgres-connection';
import { liveCount } from './task-row';

const WRITE_PARAMETERS = Array.from({ length: 24 }, (_, i) => `$${i + 1}`).join(', ');
const WRITE = `SELECT * FROM write_attachment(${WRITE_PARAMETERS})`;

const LIVE_TASK = `t.id = $1 AND t.organization = $2 AND t.deleted_version IS NULL`;

const FIND = `
  SELECT t.id AS task, ${attachmentColumns(true)}
  FROM unnest($1::text[], $2::text[]) AS ref(task_id, key)
  JOIN tasks t ON t.id = ref.task_id AND t.organization = $3 AND t.deleted_version IS NULL
  LEFT JOIN task_attachments a ON a.task_id = t.id AND a.key = ref.key AND ${isLiveRow('$4')}`;

const SUMMARIES = `
  SELECT ${attachmentColumns(false)}
  FROM tasks t LEFT JOIN task_attachments a ON a.task_id = t.id AND ${isLiveRow('$3')}
  WHERE ${LIVE_TASK}
  ORDER BY a.key`;

/** Each row of a task is joined to its attachments from the left: a task without any gives one row of nulls. */
type LeftJoined<Row> = Row | { [Column in keyof Row]: null };

export class PostgresAttachmentStore implements AttachmentStore {
  constructor(private readonly connection: PostgresConnection) {}

  async put(put: AttachmentPut, organization: string, condition: WriteCondition, nowMs: number): Promise<PutOutcome> {
    return putOutcomeOf(await this.write(putParameters(put), organization, condition, nowMs));
  }

  async delete(deletion: AttachmentDeletion, organization: string, nowMs: number): Promise<DeleteOutcome> {
    const { taskId, key, stamp, event } = deletion;
    const body = new Array<null>(12).fill(null);
    const parameters = [taskId, key, true, ...body, stamp.version, stamp.op, JSON.stringify(event)];
    const row = await this.write(parameters, organization, undefined, nowMs);
    if (row.state === 'applied') return { state: 'applied', attachmentId: row.id };
    return row.state === 'attachment-missing' ? { state: 'attachment-missing' } : refusalOf(row);
  }

  async find(refs: readonly AttachmentRef[], organization: string, nowMs: number) {
    const distinct = [...new Map(refs.map((ref) => [`${ref.taskId}/${ref.key}`, ref])).values()];
    const rows = await this.connection.query<{ task: string } & LeftJoined<AttachmentRow>>(FIND, [
      distinct.map(({ taskId }) => taskId),
      distinct.map(({ key }) => key),
      organization,
      timestamp(nowMs),
    ]);
    return { tasks: new Set(rows.map(({ task }) => task)), attachments: attachmentsOf(rows) };
  }

  async list(query: AttachmentListQuery) {
    const { text, values } = listStatement(query);
    const rows = await this.connection.query<{ total: number } & LeftJoined<AttachmentRow>>(text, values);
    return rows[0] && { attachments: attachmentsOf(rows), totalCount: rows[0].total };
  }

  async summaries(taskId: string, organization: string, nowMs: number): Promise<readonly Attachment[] | undefined> {
    const values = [taskId, organization, timestamp(nowMs)];
    const rows = await this.connection.query<LeftJoined<AttachmentRow>>(SUMMARIES, values);
    return rows[0] && attachmentsOf(rows);
  }

  private async write(parameters: unknown[], organization: string, condition: WriteCondition, nowMs: number) {
    const ifAbsent = condition !== undefined && 'ifAbsent' in condition;
    const ifVersion = condition !== undefined && 'ifVersion' in condition ? condition.ifVersion : null;
    const [row] = await this.connection.query<WriteRow>(WRITE, [
      ...parameters,
      organization,
      'direct',
      ifAbsent,
      ifVersion,
      timestamp(nowMs),
      MAX_ATTACHMENTS_PER_TASK,
    ]);
    return row as WriteRow;
  }
}

/** One page and the total; no row at all where the task is missing. */
function listStatement(query: AttachmentListQuery): { text: string; values: unknown[] } {
  const { taskId, organization, nowMs, limit, offset, type, keyPrefix } = query;
  const values: unknown[] = [taskId, organization, timestamp(nowMs), limit, offset];
  let filter = '';
  if (type !== undefined) filter += ` AND a.type = $${values.push(type)}`;
  if (keyPrefix !== '') filter += ` AND starts_with(a.key, $${values.push(keyPrefix)})`;
  const matching = `FROM task_attachments a WHERE a.task_id = t.id AND ${isLiveRow('$3')}${filter}`;
  const direction = query.descending ? 'DESC' : 'ASC';
  const order = `ORDER BY a.created_at ${direction}, a.key ${direction}`;
  const total = filter === '' ? liveCount('$3') : `(SELECT count(*)::integer ${matching})`;
  return {
    // Materialized, or the total would be counted again for every row of the page.
    text: `
      WITH task AS MATERIALIZED (SELECT t.id, ${total} AS total FROM tasks t WHERE ${LIVE_TASK})
      SELECT t.total, ${attachmentColumns(query.includeBodies)}
      FROM task t LEFT JOIN LATERAL (SELECT a.* ${matching} ${order} LIMIT $4 OFFSET $5) a ON true
      ${order}`,
    values,
  };
}

function attachmentsOf(rows: readonly LeftJoined<AttachmentRow>[]): Attachment[] {
  return rows.filter((row): row is AttachmentRow => row.id !== null).map(attachmentOfRow);
}
