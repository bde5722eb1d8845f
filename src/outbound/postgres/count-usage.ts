import type { Usage } from '../../core/domain/quota';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import { StoreError } from '../../core/ports/store-error';
import { isLiveRow, timestamp } from './attachment-row';
import type { PostgresConnection } from './postgres-connection';

/** So few that a page takes far less time than a statement may, and does not hold a session for long. */
const TASKS_PER_PAGE = 1000;
/** One task more, if it has more. */
const ATTACHMENTS_PER_PAGE = 20_000;

/** Task by task, so that PostgreSQL has no plan that reads the attachments of others. */
const PAGE = `
  WITH page AS MATERIALIZED (
    SELECT id, created_at, sum(attachment_count) OVER (ORDER BY created_at, id) - attachment_count AS before
    FROM (
      SELECT id, created_at, attachment_count FROM tasks
      WHERE organization = $1 AND deleted_version IS NULL AND (created_at, id) > ($2, $3)
      ORDER BY created_at, id LIMIT ${TASKS_PER_PAGE}
    ) AS next
  ), counted AS (
    SELECT page.id, page.created_at, of_task.attachments, of_task.bytes
    FROM page CROSS JOIN LATERAL (
      SELECT count(*) AS attachments, sum(bytes) AS bytes FROM task_attachments a
      WHERE a.task_id = page.id AND ${isLiveRow('$4')}
    ) AS of_task
    WHERE page.before < ${ATTACHMENTS_PER_PAGE}
  )
  SELECT count(*)::integer AS tasks, coalesce(sum(attachments), 0)::float8 AS attachments, coalesce(sum(bytes), 0)::float8 AS bytes,
    count(*) < (SELECT count(*) FROM page) OR count(*) = ${TASKS_PER_PAGE} AS more,
    max(created_at) AS last_at, (array_agg(id ORDER BY created_at DESC, id DESC))[1] AS last_id
  FROM counted`;

interface PageRow {
  tasks: number;
  attachments: number;
  bytes: number;
  more: boolean;
  last_at: Date;
  last_id: string;
}

/** Page by page, in the order of creation. */
export async function countUsage(
  connection: PostgresConnection,
  organization: string,
  nowMs: number,
  timeoutMs: number,
): Promise<Usage> {
  const endsAtMs = performance.now() + timeoutMs;
  const usage = { tasks: 0, attachments: 0, bytes: 0 };
  let position: [Date | string, string] = ['-infinity', ''];
  for (;;) {
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) throw new StoreError('postgres', 'timeout');
    const values = [organization, ...position, timestamp(nowMs)];
    const pageTimeoutMs = Math.min(leftMs, OPERATION_TIMEOUT_MS);
    const [page] = (await connection.query<PageRow>(PAGE, values, pageTimeoutMs, organization)) as [PageRow];
    usage.tasks += page.tasks;
    usage.attachments += page.attachments;
    usage.bytes += page.bytes;
    if (!page.more) return usage;
    position = [page.last_at, page.last_id];
  }
}
