import type { ExpiredAttachment } from '../../core/domain/attachment';
import { inParallel } from '../../core/consistency/in-parallel';
import type { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { isOutage } from '../../core/ports/store-error';
import { timestamp } from './attachment-row';
import type { PostgresConnection } from './postgres-connection';

/** What is left of deleted tasks is about to be deleted without an event. */
const FIND = `
  SELECT task_id, key, id, version, op_id, expires_at FROM task_attachments
  WHERE expires_at <= $1 AND EXISTS (SELECT FROM tasks WHERE id = task_id AND deleted_version IS NULL)
  ORDER BY expires_at LIMIT $2`;

/** In the order of locks that task_lock.sql gives, for all of them at once: the tasks, the keys, the tasks' rows. */
const HOLD_KEYS = `
  SELECT at::integer FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS expired(task_id, key, at)
  WHERE CASE WHEN pg_try_advisory_xact_lock_shared(task_lock(task_id))
    THEN pg_try_advisory_xact_lock(key_lock(task_id, key)) END`;
const HOLD_TASKS = 'SELECT id FROM tasks WHERE id = ANY ($1::text[]) FOR NO KEY UPDATE SKIP LOCKED';
const EXPIRE_EACH = `
  SELECT at::integer
  FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS expired(task_id, key, version, at)
  WHERE expire_attachment(task_id, key, version)`;
/** At one time, of those that others hold. */
const MAX_WAITING = 8;

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

  constructor(private readonly connection: PostgresConnection) {}

  async find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]> {
    const rows = await this.connection.query<ExpiredRow>(FIND, [timestamp(nowMs), limit]);
    return rows.map(expiredOfRow);
  }

  async remove(expired: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const removed = await this.removeFree(expired).catch(unlessOutage);
    if (removed.length > 0) return removed;
    // Others hold them all, perhaps for ever one after the other, or one of them cannot be removed: each by itself.
    const waitedFor: ExpiredAttachment[] = [];
    await inParallel(expired, MAX_WAITING, async (one) => {
      if (await this.removeOne(one)) waitedFor.push(one);
    });
    return waitedFor;
  }

  /** In one transaction, which waits for no lock, and so can be in no circle of those that wait. */
  private async removeFree(expired: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]> {
    const columns = (of: readonly ExpiredAttachment[]) => [of.map(({ taskId }) => taskId), of.map(({ key }) => key)];
    return this.connection.transaction(async (query) => {
      const chosen = (rows: readonly { at: number }[], of: readonly ExpiredAttachment[]) =>
        rows.map(({ at }) => of[at - 1] as ExpiredAttachment);
      const held = chosen(await query<{ at: number }>(HOLD_KEYS, columns(expired)), expired);
      const tasks = await query<{ id: string }>(HOLD_TASKS, [held.map(({ taskId }) => taskId)]);
      const ids = new Set(tasks.map(({ id }) => id));
      const free = held.filter(({ taskId }) => ids.has(taskId));
      const values = [...columns(free), free.map(({ version }) => version)];
      return chosen(await query<{ at: number }>(EXPIRE_EACH, values), free);
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

/** For an error that may be due to one of several: none was removed. */
function unlessOutage(error: unknown): readonly ExpiredAttachment[] {
  if (isOutage(error)) throw error;
  return [];
}

function expiredOfRow({ task_id, key, id, version, op_id, expires_at }: ExpiredRow): ExpiredAttachment {
  return { taskId: task_id, key, id, version: Number(version), op: op_id, expiresAtMs: expires_at.getTime() };
}
