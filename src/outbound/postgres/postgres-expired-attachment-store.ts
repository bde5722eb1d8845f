import type { ExpiredAttachment } from '../../core/domain/attachment';
import type { ExpiredAttachmentStore } from '../../core/ports/expired-attachment-store';
import { timestamp } from './attachment-row';
import type { PostgresConnection } from './postgres-connection';

const FIND = `
  SELECT task_id, key, id, version, op_id, expires_at FROM task_attachments
  WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`;

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

  async remove({ taskId, key, version }: ExpiredAttachment): Promise<boolean> {
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

function expiredOfRow({ task_id, key, id, version, op_id, expires_at }: ExpiredRow): ExpiredAttachment {
  return { taskId: task_id, key, id, version: Number(version), op: op_id, expiresAtMs: expires_at.getTime() };
}
