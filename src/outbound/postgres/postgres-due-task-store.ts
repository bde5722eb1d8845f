import type { DueTask, DueTaskStore, FinishedTask } from '../../core/ports/due-task-store';
import { timestamp } from './attachment-row';
import type { PostgresConnection } from './postgres-connection';

const EXPIRED = 'SELECT id, organization FROM tasks WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2';

/** How many organisations that have tasks with a time to live are looked at together. */
const MAX_ORGANIZATIONS = 1000;
/**
 * One step in the index `tasks_of_organizations_by_expiry` for each organisation behind $3, whatever it has. `up_to` is
 * the last one, or null if there are no more.
 */
const EXPIRED_IN_TURN = `
  WITH RECURSIVE first AS (
    (SELECT organization, expires_at FROM tasks WHERE expires_at IS NOT NULL AND organization > $3
      ORDER BY organization, expires_at LIMIT 1)
    UNION ALL
    SELECT next.* FROM first CROSS JOIN LATERAL (
      SELECT organization, expires_at FROM tasks WHERE expires_at IS NOT NULL AND organization > first.organization
      ORDER BY organization, expires_at LIMIT 1) AS next
  ), looked_at AS MATERIALIZED (
    SELECT organization, expires_at FROM first LIMIT ${MAX_ORGANIZATIONS}
  ), waiting AS (
    SELECT organization FROM looked_at WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
  )
  SELECT up_to, id, organization FROM (
    SELECT CASE count(*) WHEN ${MAX_ORGANIZATIONS} THEN max(organization) END AS up_to FROM looked_at
  ) AS looked LEFT JOIN (waiting CROSS JOIN LATERAL (
    SELECT id, expires_at FROM tasks WHERE organization = waiting.organization AND expires_at <= $1
    ORDER BY expires_at, id LIMIT $2) AS expired) ON true
  ORDER BY row_number() OVER (PARTITION BY organization ORDER BY expires_at, id), expires_at, id LIMIT $2`;

/** The expression of the index `tasks_by_finish`. */
const FINISHED_AT = 'coalesce(completed_at, cancelled_at)';
const FINISHED = `
  SELECT id, organization, ${FINISHED_AT} AS finished_at FROM tasks
  WHERE ${FINISHED_AT} < $1 AND (${FINISHED_AT}, id) > ($2, $3)
  ORDER BY ${FINISHED_AT}, id LIMIT $4`;

const TAKE_TURN = `SELECT take_turn('delete due tasks', $1 * interval '1 millisecond') AS taken`;

interface DueRow {
  id: string;
  organization: string;
}

export class PostgresDueTaskStore implements DueTaskStore {
  /** Of more organisations than are looked at together, those behind this one are the next. */
  private lookedUpTo = '';

  constructor(private readonly connection: PostgresConnection) {}

  async expired(nowMs: number, limit: number): Promise<readonly DueTask[]> {
    const values = [timestamp(nowMs), limit];
    const oldest = await this.connection.query<DueRow>(EXPIRED, values);
    // If these are all, no organisation waits for another one.
    if (oldest.length < limit) return oldest.map(dueTaskOfRow);
    type Row = { [member in keyof DueRow]: DueRow[member] | null } & { up_to: string | null };
    const rows = await this.connection.query<Row>(EXPIRED_IN_TURN, [...values, this.lookedUpTo]);
    this.lookedUpTo = rows[0]?.up_to ?? '';
    const inTurn = rows.filter((row): row is Row & DueRow => row.id !== null);
    const ids = new Set(inTurn.map(({ id }) => id));
    return [...inTurn, ...oldest.filter(({ id }) => !ids.has(id))].slice(0, limit).map(dueTaskOfRow);
  }

  async finished(beforeMs: number, after: FinishedTask | undefined, limit: number): Promise<readonly FinishedTask[]> {
    const position = after ? [timestamp(after.finishedAtMs), after.taskId] : ['-infinity', ''];
    type Row = DueRow & { finished_at: Date };
    const rows = await this.connection.query<Row>(FINISHED, [timestamp(beforeMs), ...position, limit]);
    return rows.map((row) => ({ ...dueTaskOfRow(row), finishedAtMs: row.finished_at.getTime() }));
  }

  async takeTurn(lengthMs: number): Promise<boolean> {
    const [row] = await this.connection.query<{ taken: boolean }>(TAKE_TURN, [lengthMs]);
    return row?.taken === true;
  }
}

function dueTaskOfRow({ id, organization }: DueRow): DueTask {
  return { taskId: id, organization };
}
