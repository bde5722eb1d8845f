import { Cluster, Redis } from 'ioredis';
import { Client } from 'pg';
import { versionOf } from '../../src/core/ports/attachment-journal';
import { fromText } from '../../src/outbound/redis/journal-entry';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import {
  nameOf,
  type Evidence,
  type HomelessWrite,
  type OutboxRow,
  type StoredRow,
  type StoredTask,
  type TaskEventRow,
} from './history';
import type { ReplicaGroup } from './replica-group';

export type Stores = Pick<ReplicaGroup, 'databaseUrl' | 'redisNodes' | 'isCluster'>;

/** Asks PostgreSQL and Redis directly, not through the service. */
export class StoredTruth {
  private constructor(
    private readonly postgres: Client,
    private readonly redis: Redis | Cluster,
    private readonly keys: RedisKeys,
  ) {}

  static async open({ databaseUrl, redisNodes, isCluster }: Stores): Promise<StoredTruth> {
    const postgres = new Client({ connectionString: databaseUrl });
    await postgres.connect();
    const urls = redisNodes.map(({ url }) => url);
    const redis = isCluster ? new Cluster(urls) : new Redis(urls[0] as string);
    return new StoredTruth(postgres, redis, new RedisKeys(isCluster));
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.postgres.end();
  }

  /** What PostgreSQL has of the tasks, with tombstones; rows are in the order of lists. */
  async ofPostgres(taskIds: readonly string[]): Promise<Omit<Evidence, 'homeless' | 'announced'>> {
    return {
      stored: await this.rows(taskIds),
      tasks: await this.tasks(taskIds),
      outbox: await this.outbox(taskIds),
      taskEvents: await this.taskEvents(taskIds),
    };
  }

  /** In what Redis does not agree with PostgreSQL, and what work either has left; empty if all is well. */
  async disagreements(taskIds: readonly string[]): Promise<string[]> {
    const { stored, tasks, outbox, taskEvents } = await this.ofPostgres(taskIds);
    const waiting = await this.waiting();
    const deadLetters = await this.needlessDeadLetters();
    const unpublished = [...outbox, ...taskEvents].filter(({ published }) => !published).length;
    const left = Object.entries({ waiting, deadLetters, unpublished }).filter(([, count]) => count > 0);
    const rows = new Map(stored.map((row) => [nameOf(row), row]));
    const live = new Set(tasks.filter(({ isDeleted }) => !isDeleted).map(({ taskId }) => taskId));
    const cached = await Promise.all(
      taskIds.map((id) => (live.has(id) ? this.cachedProblems(id, rows) : this.leftovers(id))),
    );
    return [...left.map(([what, count]) => `${what}: ${count}`), ...cached.flat()];
  }

  /**
   * Whether Redis has been told of every change that was committed before `horizon` was read, and the journal is empty.
   */
  async isProjected(horizon: number): Promise<boolean> {
    const { shards } = this.keys;
    const [waiting, cursors] = await Promise.all([
      this.waiting(),
      Promise.all(shards.map((shard) => this.redis.get(this.keys.cursor(shard)))),
    ]);
    return waiting === 0 && cursors.every((cursor) => Number(cursor) >= horizon);
  }

  /** How many writes the journal holds. */
  waiting(): Promise<number> {
    return this.lengthOf(this.keys.shards.map((shard) => this.keys.journal(shard)));
  }

  /** The outbox position below which all changes up to now lie. */
  async horizon(): Promise<number> {
    const { rows } = await this.postgres.query<{ xmax: string }>(
      'SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xmax',
    );
    return Number(rows[0]?.xmax);
  }

  private async rows(taskIds: readonly string[]): Promise<StoredRow[]> {
    const { rows } = await this.postgres.query<StoredColumns>(
      `SELECT task_id, key, version, op_id, value FROM task_attachments
       WHERE task_id = ANY ($1) ORDER BY task_id, created_at, key`,
      [taskIds],
    );
    return rows.map(({ task_id: taskId, key, version, op_id: op, value }) => {
      return { taskId, key, version: Number(version), op, name: value ?? undefined };
    });
  }

  private async tasks(taskIds: readonly string[]): Promise<StoredTask[]> {
    const { rows } = await this.postgres.query<StoredTask>(
      `SELECT id AS "taskId", deleted_version IS NOT NULL AS "isDeleted",
         num_nonnulls(organization, text, metadata, parent_id, created_by) = 0 AS "isBlank"
       FROM tasks WHERE id = ANY ($1)`,
      [taskIds],
    );
    return rows;
  }

  /** What was recorded of the tasks themselves, in its order. */
  private async taskEvents(taskIds: readonly string[]): Promise<TaskEventRow[]> {
    const { rows } = await this.postgres.query<TaskEventRow>(
      `SELECT task_id AS "taskId", op_id AS op, event ->> 'type' AS type, published,
         event #>> '{payload,deletedBy}' AS "deletedBy"
       FROM outbox WHERE task_id = ANY ($1) AND key IS NULL ORDER BY seq`,
      [taskIds],
    );
    return rows;
  }

  /** What was recorded of the attachments of the tasks, in its order. */
  private async outbox(taskIds: readonly string[]): Promise<OutboxRow[]> {
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

  /** Of a task that PostgreSQL does not have, because a restore has lost it, a write cannot be anything else. */
  private async needlessDeadLetters(): Promise<number> {
    const letters = await this.deadLetters();
    const taskIds = letters.flatMap((text) => homelessWriteOf(text)?.taskId ?? []);
    const { rows } = await this.postgres.query<{ id: string }>('SELECT id FROM tasks WHERE id = ANY ($1)', [taskIds]);
    const known = new Set(rows.map(({ id }) => id));
    return letters.length - taskIds.filter((taskId) => !known.has(taskId)).length;
  }

  async homelessWrites(): Promise<HomelessWrite[]> {
    return (await this.deadLetters()).flatMap((text) => homelessWriteOf(text) ?? []);
  }

  private async deadLetters(): Promise<string[]> {
    const lists = this.keys.shards.map((shard) => this.keys.deadLetters(shard));
    return (await Promise.all(lists.map((list) => this.redis.lrange(list, 0, -1)))).flat();
  }

  private async lengthOf(lists: readonly string[]): Promise<number> {
    const lengths = await Promise.all(lists.map((list) => this.redis.llen(list)));
    return lengths.reduce((sum, length) => sum + length, 0);
  }

  /**
   * What Redis must not hold of a task that is not there: anything that is returned, and anything that stays for ever.
   *
   * A hash or an index alone is legal. If Redis loses the control, the names of the hashes are lost with it: the
   * deletion, which finds no control, cannot remove them. They answer nothing, because a hash without a record counts
   * as missing, and they die at the end of their lifetime.
   */
  private async leftovers(taskId: string): Promise<string[]> {
    const name = this.keys.control(taskId);
    const control = await this.controlOf(taskId);
    const isDeleted = control['d'] !== undefined;
    const fields = Object.keys(control).filter((field) => field.startsWith('r:') || (field === 'o' && !isDeleted));
    const nodes = this.redis instanceof Cluster ? this.redis.nodes() : [this.redis];
    const found = await Promise.all(nodes.map((node) => node.keys(`*cb:task:${taskId}:*`)));
    const lasting = await Promise.all(
      found.flat().map(async (key) => ((await this.redis.pttl(key)) === -1 ? [key] : [])),
    );
    return [...fields.map((field) => `${name} ${field}`), ...lasting.flat().map((key) => `${key} has no lifetime`)];
  }

  private async cachedProblems(taskId: string, stored: ReadonlyMap<string, StoredRow>): Promise<string[]> {
    const control = await this.controlOf(taskId);
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

  /** Of another epoch, nothing counts but what is journaled. */
  private async controlOf(taskId: string): Promise<Record<string, string>> {
    const epoch = await this.redis.hget(this.keys.owner(this.keys.shards[0] as number), 'epoch');
    const { e = epoch, ...control } = await this.redis.hgetall(this.keys.control(taskId));
    if (e === epoch) return control;
    return control['n'] === undefined ? {} : { n: control['n'] };
  }

  /** A body that belongs to another write counts as missing: it is not answered. */
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

function homelessWriteOf(letter: string): HomelessWrite | undefined {
  const [, text] = /^task-missing (.*)$/s.exec(letter) ?? [];
  const { ref, write } = (text === undefined ? undefined : fromText(text)) ?? {};
  if (!ref || !write) return undefined;
  const deletedBy = 'deletion' in write ? String(write.deletion.event.metadata['deletedBy']) : undefined;
  return { ...ref, version: versionOf(write), deletedBy };
}
