import { Redis } from 'ioredis';
import { Client } from 'pg';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import { nameOf, type OutboxRow, type StoredRow } from './history';

const SHARD = 0;

/** Asks PostgreSQL and Redis themselves, past the service. */
export class StoredTruth {
  private readonly keys = new RedisKeys(false);

  private constructor(
    private readonly postgres: Client,
    private readonly redis: Redis,
  ) {}

  static async open(databaseUrl: string, redisUrl: string): Promise<StoredTruth> {
    const postgres = new Client({ connectionString: databaseUrl });
    await postgres.connect();
    return new StoredTruth(postgres, new Redis(redisUrl));
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.postgres.end();
  }

  /** Everything stored of the tasks, tombstones included, in the order of lists. */
  async rows(taskIds: readonly string[]): Promise<StoredRow[]> {
    const { rows } = await this.postgres.query<StoredColumns>(
      `SELECT task_id, key, version, op_id, value FROM task_attachments
       WHERE task_id = ANY ($1) ORDER BY task_id, created_at, key`,
      [taskIds],
    );
    return rows.map(({ task_id: taskId, key, version, op_id: op, value }) => {
      return { taskId, key, version: Number(version), op, name: value ?? undefined };
    });
  }

  /** What was recorded of the attachments of the tasks, in its order. */
  async outbox(taskIds: readonly string[]): Promise<OutboxRow[]> {
    const { rows } = await this.postgres.query<OutboxColumns>(
      `SELECT task_id, key, version, op_id, superseded, published, event #>> '{metadata,deletedBy}' AS deleted_by
       FROM outbox WHERE task_id = ANY ($1) AND key IS NOT NULL ORDER BY seq`,
      [taskIds],
    );
    return rows.map(({ task_id: taskId, key, version, op_id: op, superseded, published, deleted_by }) => {
      const deletedBy = deleted_by ?? undefined;
      return { taskId, key, version: Number(version), op, superseded, published, deletedBy };
    });
  }

  /** Where Redis does not agree with PostgreSQL, or either has work left; empty where all is well. */
  async disagreements(taskIds: readonly string[]): Promise<string[]> {
    const [waiting, deadLetters, rows, outbox] = await Promise.all([
      this.redis.llen(this.keys.journal(SHARD)),
      this.redis.llen(this.keys.deadLetters(SHARD)),
      this.rows(taskIds),
      this.outbox(taskIds),
    ]);
    const unpublished = outbox.filter(({ published }) => !published).length;
    const left = Object.entries({ waiting, deadLetters, unpublished }).filter(([, count]) => count > 0);
    const stored = new Map(rows.map((row) => [nameOf(row), row]));
    const cached = await Promise.all(taskIds.map((taskId) => this.cachedProblems(taskId, stored)));
    return [...left.map(([what, count]) => `${what}: ${count}`), ...cached.flat()];
  }

  /** Whether every change committed before this was asked first, of `horizon`, has been projected into Redis. */
  async isProjected(horizon: number): Promise<boolean> {
    const [waiting, cursor] = await Promise.all([
      this.redis.llen(this.keys.journal(SHARD)),
      this.redis.get(this.keys.cursor(SHARD)),
    ]);
    return waiting === 0 && Number(cursor) >= horizon;
  }

  /** The outbox position below which all changes up to now lie. */
  async horizon(): Promise<number> {
    const { rows } = await this.postgres.query<{ xmax: string }>(
      'SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xmax',
    );
    return Number(rows[0]?.xmax);
  }

  private async cachedProblems(taskId: string, stored: ReadonlyMap<string, StoredRow>): Promise<string[]> {
    const control = await this.redis.hgetall(this.keys.control(taskId));
    const problems = Number(control['n'] ?? 0) === 0 ? [] : [`${taskId}: ${control['n']} entries count as journaled`];
    for (const [field, record] of Object.entries(control).filter(([name]) => name.startsWith('r:'))) {
      const ref = { taskId, key: field.slice('r:'.length) };
      const row = stored.get(nameOf(ref));
      const [version, op, mark, state] = record.split(' ');
      const isSame = row && version === String(row.version) && op === row.op && (state === 'live') === isLive(row);
      if (!isSame || mark === 'journaled') problems.push(`${nameOf(ref)}: ${record} is not ${JSON.stringify(row)}`);
      if (isSame && isLive(row)) problems.push(...(await this.bodyProblems(row)));
    }
    return problems;
  }

  /** A body that is missing, or belongs to another write, is no record: it is not answered. */
  private async bodyProblems(row: StoredRow): Promise<string[]> {
    const { op, version, value } = await this.redis.hgetall(this.keys.attachment(row));
    if (op !== row.op) return [];
    const isSame = version === String(row.version) && value === JSON.stringify(row.name);
    return isSame ? [] : [`${nameOf(row)}: the body is ${version} ${value}`];
  }
}

interface StoredColumns {
  readonly task_id: string;
  readonly key: string;
  readonly version: string;
  readonly op_id: string;
  readonly value: string | null;
}

interface OutboxColumns extends Omit<StoredColumns, 'value'> {
  readonly superseded: boolean;
  readonly published: boolean;
  readonly deleted_by: string | null;
}

function isLive({ name }: StoredRow): boolean {
  return name !== undefined;
}
