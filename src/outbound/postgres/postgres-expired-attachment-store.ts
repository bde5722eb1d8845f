import type { ExpiredAttachment } from '../../core/domain/attachment';
import { groupedBy } from '../../core/consistency/grouped-by';
import { inParallel } from '../../core/consistency/in-parallel';
import { inTurn } from '../../core/consistency/in-turn';
import type { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { StoreError } from '../../core/ports/store-error';
import { ExpiredInTurn } from './expired-in-turn';
import type { PostgresConnection } from './postgres-connection';

/**
 * Found by `task_attachments_of_organizations_by_expiry`. What is left of deleted tasks is about to be deleted without
 * an event.
 */
const EXPIRING = {
  name: 'task_attachments',
  columns: 'task_id, key, id, version, op_id, expires_at',
  order: 'expires_at',
  condition: 'EXISTS (SELECT FROM tasks WHERE tasks.id = row.task_id AND deleted_version IS NULL)',
};

/** All keys before the task's row, which is the order of locks that task_lock.sql gives. */
const HOLD_KEYS = `
  SELECT key FROM unnest($2::text[]) AS key
  WHERE CASE WHEN pg_try_advisory_xact_lock_shared(task_lock($1)) THEN pg_try_advisory_xact_lock(key_lock($1, key)) END`;
const EXPIRE_EACH = `
  SELECT key FROM unnest($2::text[], $3::bigint[]) AS expired(key, version) WHERE expire_attachment($1, key, version)`;
/** Of one task, in one transaction: so many locks it may hold. */
const MAX_TOGETHER = 100;
const MAX_IN_FLIGHT = 8;

const PURGE_TOMBSTONES = `
  WITH purged AS (
    DELETE FROM task_attachments WHERE (task_id, key) IN (
      SELECT task_id, key FROM task_attachments
      WHERE deleted AND version < $1 AND version >= $3 ORDER BY version LIMIT $2
    ) AND deleted AND version < $1
    RETURNING version
  )
  SELECT count(*)::integer AS count, max(version) AS last FROM purged`;

interface ExpiredRow {
  task_id: string;
  key: string;
  id: string;
  version: string;
  op_id: string;
  expires_at: Date;
}

export class PostgresExpiredAttachmentStore implements ExpiredAttachmentStore {
  /** No tombstone below is left of this round: until a vacuum, each step would pass by those that are gone. */
  private purgedTo = 0;

  private readonly expiredInTurn: ExpiredInTurn<ExpiredRow>;

  constructor(private readonly connection: PostgresConnection) {
    this.expiredInTurn = new ExpiredInTurn(connection, EXPIRING, ({ op_id }) => op_id);
  }

  async find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]> {
    return (await this.expiredInTurn.find(nowMs, limit)).map(expiredOfRow);
  }

  async remove(expired: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const removed: ExpiredAttachment[] = [];
    const groups = groupedBy(expired, ({ taskId }) => taskId).flatMap(inSteps);
    await inParallel(groups, MAX_IN_FLIGHT, async (group) => void removed.push(...(await this.removeOfTask(group))));
    return removed;
  }

  private async removeOfTask(ofTask: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const together = ofTask.length > 1 ? await this.removeFree(ofTask).catch(noneIfFaulty) : [];
    if (together.length > 0) return together;
    // Others hold them all, perhaps for ever one after the other, or one of them cannot be removed: each by itself.
    const removed: ExpiredAttachment[] = [];
    const remove = async (one: ExpiredAttachment) => {
      if (await this.removeOne(one)) removed.push(one);
    };
    await inTurn(ofTask, remove, (error) => !isFault(error));
    return removed;
  }

  /** In one transaction, which waits for no key, and for the task's row only when it holds all its keys. */
  private async removeFree(ofTask: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const taskId = ofTask[0]?.taskId;
    const among = (rows: readonly { key: string }[]) => {
      const keys = new Set(rows.map(({ key }) => key));
      return ofTask.filter(({ key }) => keys.has(key));
    };
    return this.connection.transaction(async (query) => {
      const held = among(await query<{ key: string }>(HOLD_KEYS, [taskId, ofTask.map(({ key }) => key)]));
      const values = [taskId, held.map(({ key }) => key), held.map(({ version }) => version)];
      return among(await query<{ key: string }>(EXPIRE_EACH, values));
    });
  }

  private async removeOne({ taskId, key, version }: ExpiredAttachment): Promise<boolean> {
    const [row] = await this.connection.change<{ removed: boolean }>(
      'SELECT expire_attachment($1, $2, $3) AS removed',
      [taskId, key, version],
    );
    return row?.removed === true;
  }

  async purgeTombstones(version: number, limit: number): Promise<number> {
    type Purged = { count: number; last: string | null };
    const [row] = await this.connection.query<Purged>(PURGE_TOMBSTONES, [version, limit, this.purgedTo]);
    const { count = 0, last } = row ?? {};
    this.purgedTo = count === limit ? Number(last) : 0;
    return count;
  }
}

function inSteps(ofTask: readonly ExpiredAttachment[]): (readonly ExpiredAttachment[])[] {
  const count = Math.ceil(ofTask.length / MAX_TOGETHER);
  return Array.from({ length: count }, (_, i) => ofTask.slice(i * MAX_TOGETHER, (i + 1) * MAX_TOGETHER));
}

/** Whether an attachment itself is to blame, and not the server or another transaction. */
function isFault(error: unknown): boolean {
  return error instanceof StoreError && (error.outcome === 'failed' || error.outcome === 'refused');
}

function noneIfFaulty(error: unknown): readonly ExpiredAttachment[] {
  if (!isFault(error)) throw error;
  return [];
}

function expiredOfRow({ task_id, key, id, version, op_id, expires_at }: ExpiredRow): ExpiredAttachment {
  return { taskId: task_id, key, id, version: Number(version), op: op_id, expiresAtMs: expires_at.getTime() };
}
