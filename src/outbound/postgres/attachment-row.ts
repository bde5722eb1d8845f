import type { Attachment, AttachmentIdentity, AttachmentType } from '../../core/domain/attachment';
import { JsonText } from '../../core/domain/json-text';
import type { DrainDelay, DrainOutcome, JournaledWrite } from '../../core/ports/attachment-journal';
import type { PutOutcome, WriteRefusal } from '../../core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut, JournaledState } from '../../core/ports/attachment-write';
import type { PlainPut } from './put-group';
import type { GroupedOutcome } from './put-groups';
import { SqlFunction } from './sql-function';

/** A live row of task_attachments, as selected by `attachmentColumns`. */
export interface AttachmentRow {
  task_id: string;
  key: string;
  id: string;
  type: AttachmentType;
  value: string | null;
  content: string | null;
  url: string | null;
  mime_type: string | null;
  size: string | null;
  bytes: number | null;
  created_by: string;
  created_at: Date;
  updated_at: Date;
  expires_at: Date | null;
  version: string;
  op_id: string;
}

/** What the functions that write attachments return for a put. */
export interface WriteRow {
  state: string;
  stored_version: string | null;
  id: string;
  created_at: Date;
  created_by: string;
  replaced: boolean;
}

/** The same for a deletion: without an id if no live attachment was there. */
export type DeletionRow = Pick<WriteRow, 'state' | 'stored_version'> & { id: string | null };

/** One row of `drain_attachments` and of `write_attachments`. */
export type PositionedRow = WriteRow & { position: string };

const COLUMNS = [
  'id',
  'type',
  'value',
  'content',
  'url',
  'mime_type',
  'size',
  'bytes',
  'created_by',
  'created_at',
  'updated_at',
  'expires_at',
  'version',
  'op_id',
] as const;
type WrittenColumn = (typeof COLUMNS)[number];
const NO_COLUMNS = Object.fromEntries(COLUMNS.map((column) => [column, null])) as Record<WrittenColumn, null>;

const WRITTEN = ['task_id', 'key', 'deleted', ...COLUMNS, 'event', 'journaled'] as const;
const TERMS = ['organization', 'mode', 'if_absent', 'if_version', 'now', 'max_attachments'] as const;

export const WRITE_ATTACHMENT = new SqlFunction('write_attachment', [...WRITTEN, ...TERMS]);

/** The columns of the table or subquery `a`; with bodies only if `bodies`, a condition, holds. */
export function attachmentColumns(bodies: string): string {
  const body = (column: string) => `CASE WHEN ${bodies} THEN a.${column}::text END AS ${column}`;
  return `a.task_id, a.key, a.id, a.type, ${body('value')}, ${body('content')},
    a.url, a.mime_type, a.size, a.bytes, a.created_by, a.created_at, a.updated_at, a.expires_at, a.version, a.op_id`;
}

/** The condition under which the row `a` is neither a tombstone nor expired; `now` names a parameter. */
export function isLiveRow(now: string): string {
  return `NOT a.deleted AND (a.expires_at IS NULL OR a.expires_at > ${now})`;
}

export function attachmentOfRow(row: AttachmentRow): Attachment {
  return {
    id: row.id,
    taskId: row.task_id,
    key: row.key,
    type: row.type,
    value: row.value === null ? undefined : JsonText.restore(row.value),
    content: row.content ?? undefined,
    url: row.url ?? undefined,
    mimeType: row.mime_type ?? undefined,
    size: row.size === null ? undefined : Number(row.size),
    bytes: row.bytes ?? undefined,
    createdBy: row.created_by,
    createdAtMs: row.created_at.getTime(),
    updatedAtMs: row.updated_at.getTime(),
    expiresAtMs: row.expires_at?.getTime(),
    version: Number(row.version),
    op: row.op_id,
  };
}

/** The parameters of `write_attachment` that say what is written. */
export type WrittenParameter = (typeof WRITTEN)[number];

/** For a put. */
export function putParameters({ attachment, event, over }: AttachmentPut): Record<WrittenParameter, unknown> {
  const { taskId, key } = attachment;
  const columns = { event: JSON.stringify(event), journaled: journaledJson(over), ...columnsOf(attachment) };
  return { task_id: taskId, key, deleted: false, ...columns };
}

/** For a deletion. */
export function deletionParameters(deletion: AttachmentDeletion): Record<WrittenParameter, unknown> {
  const { taskId, key, stamp, event, over } = deletion;
  const journaled = journaledJson(over);
  const columns = { journaled, ...NO_COLUMNS, version: stamp.version, op_id: stamp.op };
  return { task_id: taskId, key, deleted: true, event: JSON.stringify(event), ...columns };
}

/** An entry of the journal as `drain_attachments` takes it. */
export function drainJson(write: JournaledWrite): object {
  const { organization } = write;
  if ('put' in write) {
    const { put } = write;
    return { deleted: false, ...plainPutJson({ put, organization, nowMs: put.event.timestamp }) };
  }
  const { taskId, key, stamp, event } = write.deletion;
  const written = { deleted: true, version: stamp.version, op_id: stamp.op, event };
  return { organization, task_id: taskId, key, now: timestamp(event.timestamp), ...written };
}

/** A put as `write_attachments` takes it. */
export function plainPutJson({ put, organization, nowMs }: PlainPut): object {
  return { organization, task_id: put.attachment.taskId, now: timestamp(nowMs), ...putJson(put) };
}

/** Without a row, the task of the write was locked. */
export function drainOutcomeOf(isPut: boolean, row: PositionedRow | undefined): DrainOutcome | DrainDelay {
  if (!row) return { state: 'busy' };
  if (row.state === 'task-missing') return { state: 'task-missing' };
  if (row.state !== 'applied') return { state: 'superseded' };
  return { state: 'applied', identity: isPut ? identityOf(row) : undefined };
}

/** What `write_attachment` must know of what the journal holds under the key; null if nothing is. */
function journaledJson(over: JournaledState | undefined): string | null {
  if (!over) return null;
  const { version, attachment } = over;
  if (!attachment) return JSON.stringify({ version });
  const { id, created_at, created_by, expires_at } = columnsOf(attachment);
  return JSON.stringify({ version, id, created_at, created_by, expires_at });
}

/** A put as `create_task` and `update_task` take it. */
export function putJson({ attachment, event }: AttachmentPut): object {
  return { key: attachment.key, event, ...columnsOf(attachment) };
}

function columnsOf(attachment: Attachment): Record<WrittenColumn, unknown> {
  return {
    id: attachment.id,
    type: attachment.type,
    value: attachment.value?.text,
    content: attachment.content,
    url: attachment.url,
    mime_type: attachment.mimeType,
    size: attachment.size,
    bytes: attachment.bytes,
    created_by: attachment.createdBy,
    created_at: timestamp(attachment.createdAtMs),
    updated_at: timestamp(attachment.updatedAtMs),
    expires_at: timestamp(attachment.expiresAtMs),
    version: attachment.version,
    op_id: attachment.op,
  };
}

export function timestamp(epochMs: number): Date;
export function timestamp(epochMs: number | undefined): Date | undefined;
export function timestamp(epochMs: number | undefined): Date | undefined {
  return epochMs === undefined ? undefined : new Date(epochMs);
}

export function groupedOutcomeOf(row: WriteRow): GroupedOutcome {
  const { state } = row;
  return state === 'task-held' || state === 'key-held' || state === 'left-out' ? { state } : putOutcomeOf(row);
}

export function putOutcomeOf(row: WriteRow): PutOutcome {
  if (row.state !== 'applied') return refusalOf(row);
  return { state: 'applied', identity: identityOf(row), replaced: row.replaced };
}

export function identityOf(row: WriteRow): AttachmentIdentity {
  return { id: row.id, createdAtMs: row.created_at.getTime(), createdBy: row.created_by };
}

export function refusalOf({ state, stored_version }: Pick<WriteRow, 'state' | 'stored_version'>): WriteRefusal {
  const version = stored_version === null ? null : Number(stored_version);
  switch (state) {
    case 'superseded':
      return { state, version: version as number };
    case 'condition-failed':
      return { state, currentVersion: version };
    case 'task-missing':
    case 'task-full':
      return { state };
    default:
      throw new Error(`a write returned the unknown state ${state}`);
  }
}
