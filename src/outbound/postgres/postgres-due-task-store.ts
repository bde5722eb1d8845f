import type { DueTask, DueTaskStore, FinishedTask } from '../../core/ports/due-task-store';
import { timestamp } from './attachment-row';
import { ExpiredInTurn } from './expired-in-turn';
import type { PostgresConnection } from './postgres-connection';

/** Found by `tasks_of_organizations_by_expiry`. */
const EXPIRING = { name: 'tasks', columns: 'id, organization, expires_at', order: 'expires_at, id', condition: 'true' };

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
  private readonly expiredInTurn: ExpiredInTurn<DueRow>;

  constructor(private readonly connection: PostgresConnection) {
    this.expiredInTurn = new ExpiredInTurn(connection, EXPIRING, ({ id }) => id);
  }

  async expired(nowMs: number, limit: number): Promise<readonly DueTask[]> {
    return (await this.expiredInTurn.find(nowMs, limit)).map(dueTaskOfRow);
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
