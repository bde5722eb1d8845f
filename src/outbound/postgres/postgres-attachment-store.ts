import { isLive, refName, type Attachment, type AttachmentRef } from '../../core/domain/attachment';
import { MAX_ATTACHMENTS_PER_TASK, MAX_KEY_LENGTH } from '../../core/domain/limits';
import type {
  AttachmentListQuery,
  AttachmentStore,
  DeleteOutcome,
  OutlinesQuery,
  PutOutcome,
  StoredAttachment,
  WriteCondition,
} from '../../core/ports/attachment-store';
import { OUTLINE_BYTES, type Room } from '../../core/ports/room';
import type { AttachmentDeletion, AttachmentPut } from '../../core/ports/attachment-write';
import type { DrainDelay, DrainOutcome, JournaledWrite } from '../../core/ports/attachment-journal';
import {
  attachmentColumns,
  attachmentOfRow,
  deletionParameters,
  drainJson,
  drainOutcomeOf,
  groupedOutcomeOf,
  isLiveRow,
  plainPutJson,
  putOutcomeOf,
  putParameters,
  refusalOf,
  timestamp,
  WRITE_ATTACHMENT,
  type AttachmentRow,
  type DeletionRow,
  type PositionedRow,
  type WriteRow,
  type WrittenParameter,
} from './attachment-row';
import { readWithin } from '../system/read-within';
import { unseen } from './parameters';
import { NO_ORGANIZATION, type PostgresConnection } from './postgres-connection';
import type { PlainPut } from './put-group';
import { PutGroups, type GroupedOutcome } from './put-groups';
import { liveCount } from './task-row';

/** In the order of UTF-8 bytes. */
const LAST_CHARACTER = '\u{10ffff}';

const WRITE = `SELECT * FROM ${WRITE_ATTACHMENT.call}`;

const WRITE_TOGETHER = `SELECT * FROM write_attachments($1, $2, $3)`;

const DRAIN = `SELECT * FROM drain_attachments($1)`;

const LIVE_TASK = `t.id = $1 AND t.organization = $2 AND t.deleted_version IS NULL`;

const FIND = `
  SELECT t.id AS task, sum(a.bytes) OVER ()::float8 AS body_bytes,
    ${attachmentColumns('coalesce(sum(a.bytes) OVER (), 0) <= $4::float8')}
  FROM unnest($1::text[], $2::text[]) AS ref(task_id, key)
  JOIN tasks t ON t.id = ref.task_id AND t.organization = $3 AND t.deleted_version IS NULL
  LEFT JOIN task_attachments a ON a.task_id = t.id AND a.key = ref.key`;

/** If they are larger than $6, one row says so. */
const OUTLINES = `
  SELECT a.outline_bytes, ${attachmentColumns('false')}
  FROM tasks t LEFT JOIN LATERAL (
    SELECT p.*, row_number() OVER () AS nth,
      sum(${OUTLINE_BYTES} + coalesce(octet_length(p.url), 0)) OVER ()::float8 AS outline_bytes
    FROM (
      SELECT a.* FROM task_attachments a
      WHERE a.task_id = t.id AND a.key > $4 AND ${isLiveRow('$3')}
      ORDER BY a.key LIMIT $5
    ) p
  ) a ON a.outline_bytes <= $6::float8 OR a.nth = 1
  WHERE ${LIVE_TASK}
  ORDER BY a.key`;

/** A task's row is joined to its attachments from the left: a task without attachments gives one row of nulls. */
type LeftJoined<Row> = Row | { [Column in keyof Row]: null };

/** A tombstone has its key and its version only. */
type StoredRow = AttachmentRow | (Pick<AttachmentRow, 'task_id' | 'key' | 'version'> & { id: null });

/** How a write is to be done; the parameters of `write_attachment` beside what is written. */
interface WriteTerms {
  readonly organization: string;
  readonly condition?: WriteCondition;
  readonly nowMs: number;
  readonly timeoutMs?: number;
}

export class PostgresAttachmentStore implements AttachmentStore {
  private readonly groups: PutGroups;

  constructor(private readonly connection: PostgresConnection) {
    this.groups = new PutGroups({
      alone: (put, timeoutMs) => this.putAlone(put, undefined, timeoutMs),
      together: (puts, timeoutMs, waits) => this.putTogether(puts, timeoutMs, waits),
      waitedInVain: (sinceMs) => connection.waitedInVain(sinceMs),
    });
  }

  async put(
    put: AttachmentPut,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<PutOutcome> {
    const one = { put, organization, nowMs };
    return condition || put.over ? this.putAlone(one, condition, timeoutMs) : this.groups.write(one, timeoutMs);
  }

  async delete(
    deletion: AttachmentDeletion,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<DeleteOutcome> {
    const terms = { organization, condition, nowMs, timeoutMs };
    const row = await this.write<DeletionRow>(deletionParameters(deletion), terms);
    if (row.state === 'applied') return { state: 'applied', attachmentId: row.id ?? undefined };
    return row.state === 'attachment-missing' ? { state: 'attachment-missing' } : refusalOf(row);
  }

  async drain(writes: readonly JournaledWrite[]): Promise<readonly (DrainOutcome | DrainDelay)[]> {
    const rows = await this.connection.change<PositionedRow>(DRAIN, [JSON.stringify(writes.map(drainJson))]);
    const byPosition = new Map(rows.map((row) => [Number(row.position), row]));
    return writes.map((write, i) => drainOutcomeOf('put' in write, byPosition.get(i + 1)));
  }

  async find(refs: readonly AttachmentRef[], organization: string, nowMs: number, timeoutMs: number, room?: Room) {
    const distinct = [...new Map(refs.map((ref) => [refName(ref), ref])).values()];
    const values = [distinct.map(({ taskId }) => taskId), distinct.map(({ key }) => key), organization];
    type Row = { task: string; body_bytes: number | null } & (StoredRow | { version: null });
    const rows = await readWithin(room, distinct.length, async (maxBytes) =>
      sizeIfAbove(maxBytes, await this.connection.query<Row>(FIND, [...values, maxBytes], timeoutMs, organization)),
    );
    return {
      tasks: new Set(rows.map(({ task }) => task)),
      found: rows.filter((row) => row.version !== null).map((row) => storedOfRow(row, nowMs)),
    };
  }

  async list(query: AttachmentListQuery, timeoutMs: number) {
    const { text, values } = listStatement(query);
    type Row = { total: number; body_bytes: number | null } & LeftJoined<AttachmentRow>;
    const read = (bound: readonly number[]) =>
      this.connection.query<Row>(text, [...values, ...bound], timeoutMs, query.organization);
    const rows = query.includeBodies
      ? await readWithin(query.room, query.limit, async (maxBytes) => sizeIfAbove(maxBytes, await read([maxBytes])))
      : await read([]);
    return rows[0] && { attachments: attachmentsOf(rows), totalCount: rows[0].total };
  }

  async outlines(query: OutlinesQuery, timeoutMs: number): Promise<readonly Attachment[] | undefined> {
    const { taskId, organization, nowMs, after = '', limit, room } = query;
    const values = [taskId, organization, timestamp(nowMs), after, limit ?? null];
    type Row = { outline_bytes: number | null } & LeftJoined<AttachmentRow>;
    const rows = await readWithin(room, limit ?? MAX_ATTACHMENTS_PER_TASK, async (maxBytes) => {
      const found = await this.connection.query<Row>(OUTLINES, [...values, maxBytes], timeoutMs, organization);
      const bytes = found[0]?.outline_bytes ?? 0;
      return bytes > maxBytes ? bytes : found;
    });
    return rows[0] && attachmentsOf(rows);
  }

  private async putAlone(one: PlainPut, condition: WriteCondition, timeoutMs: number) {
    const { put, organization, nowMs } = one;
    return putOutcomeOf(await this.write(putParameters(put), { organization, condition, nowMs, timeoutMs }));
  }

  private async putTogether(puts: readonly PlainPut[], timeoutMs: number, waits: boolean): Promise<GroupedOutcome[]> {
    const values = [JSON.stringify(puts.map(plainPutJson)), waits, MAX_ATTACHMENTS_PER_TASK];
    // Those that wait for one task are of its organisation.
    const owner = waits ? puts[0]?.organization : NO_ORGANIZATION;
    const rows = await this.connection.change<PositionedRow>(WRITE_TOGETHER, values, timeoutMs, owner);
    const byPosition = new Map(rows.map((row) => [Number(row.position), row]));
    return puts.map((_, i) => groupedOutcomeOf(byPosition.get(i + 1) as PositionedRow));
  }

  private async write<Row = WriteRow>(written: Record<WrittenParameter, unknown>, terms: WriteTerms): Promise<Row> {
    const { organization, condition, nowMs, timeoutMs } = terms;
    const values = WRITE_ATTACHMENT.values({
      organization,
      mode: 'direct',
      if_absent: condition !== undefined && 'ifAbsent' in condition,
      if_version: condition !== undefined && 'ifVersion' in condition ? condition.ifVersion : null,
      now: timestamp(nowMs),
      max_attachments: MAX_ATTACHMENTS_PER_TASK,
      ...written,
    });
    const [row] = await this.connection.change<Row>(WRITE, values, timeoutMs, organization);
    return row as Row;
  }
}

/** The rows, if they have the bodies; otherwise the size of the bodies, which is in every row. */
function sizeIfAbove<Row extends { readonly body_bytes: number | null }>(
  maxBytes: number,
  rows: Row[],
): Row[] | number {
  const bytes = rows[0]?.body_bytes ?? 0;
  return bytes > maxBytes ? bytes : rows;
}

/**
 * One page and the total; no row at all if the task is missing. What is on the page is found, and counted, in an index;
 * only what is on it is read from the table. The keys with a prefix are a range of the primary key.
 */
function listStatement(query: AttachmentListQuery): { text: string; values: unknown[] } {
  const { taskId, organization, nowMs, limit, offset, type, keyPrefix } = query;
  const values: unknown[] = [taskId, organization, timestamp(nowMs), limit, offset];
  const given = (value: string) => unseen(`$${values.push(value)}`, 'text');
  const now = unseen('$3', 'timestamptz');
  let filter = '';
  if (type !== undefined) filter += ` AND a.type = ${given(type)}`;
  if (keyPrefix !== '') {
    filter += ` AND a.key BETWEEN ${given(keyPrefix)} AND ${given(keyPrefix + LAST_CHARACTER.repeat(MAX_KEY_LENGTH))}`;
  }
  const matching = `FROM task_attachments a WHERE a.task_id = t.id AND ${isLiveRow(now)}${filter}`;
  const direction = query.descending ? 'DESC' : 'ASC';
  const order = `ORDER BY a.created_at ${direction}, a.key ${direction}`;
  const range = `LIMIT ${unseen('$4', 'bigint')} OFFSET ${unseen('$5', 'bigint')}`;
  const total = filter === '' ? liveCount(now) : `(SELECT count(*)::integer ${matching})`;
  const bodies = query.includeBodies ? `coalesce(a.body_bytes, 0) <= $${values.length + 1}::float8` : 'false';
  return {
    // Not materialized, the total would be counted again for every row of the page.
    text: `
      WITH task AS MATERIALIZED (SELECT t.id, ${total} AS total FROM tasks t WHERE ${LIVE_TASK})
      SELECT t.total, a.body_bytes, ${attachmentColumns(bodies)}
      FROM task t LEFT JOIN LATERAL (
        SELECT p.*, sum(p.bytes) OVER ()::float8 AS body_bytes
        FROM (SELECT a.key ${matching} ${order} ${range}) page
        CROSS JOIN LATERAL (SELECT * FROM task_attachments p WHERE p.task_id = t.id AND p.key = page.key LIMIT 1) p
      ) a ON true
      ${order}`,
    values,
  };
}

function attachmentsOf(rows: readonly LeftJoined<AttachmentRow>[]): Attachment[] {
  return rows.filter((row): row is AttachmentRow => row.id !== null).map(attachmentOfRow);
}

function storedOfRow(row: StoredRow, nowMs: number): StoredAttachment {
  const attachment = row.id === null ? undefined : attachmentOfRow(row);
  const isAlive = attachment && isLive(attachment, nowMs);
  return {
    taskId: row.task_id,
    key: row.key,
    version: Number(row.version),
    attachment: isAlive ? attachment : undefined,
  };
}
