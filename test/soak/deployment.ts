import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { startForwarder, type Forwarder } from '../support/forwarder';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startCopy, startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase, type RuntimeDatabase } from '../support/runtime-database';
import { withPostgres } from '../support/setups';
import { killPostgres, pausePostgres, resumePostgres } from '../faults/postgres-processes';
import { LIMITS, Replica, type ReplicaGroup } from '../faults/replica-group';
import type { Credentials } from './credentials';

const REPLICAS = 2;
/** Longer than the tests need to notice that a replica leaves. */
const SHUTDOWN_DELAY_MS = '5000';
const COLLECT_GARBAGE = join(__dirname, 'collect-garbage.js');
const AGED_TASK = 'aged';
/** Longer ago than history is kept. */
const AGE = "interval '9 days'";

/** Two replicas of the built service, and the servers that they share, as an operator would run them. */
export class Deployment implements ReplicaGroup {
  readonly isCluster = false;
  readonly replicas: Replica[] = [];
  private standby?: PostgresServer;
  /** The processes of PostgreSQL that are paused. */
  private paused: readonly number[] = [];

  private constructor(
    private primary: PostgresServer,
    private readonly forwarder: Forwarder,
    readonly redis: RedisServer,
    readonly nats: NatsServer,
    private readonly database: RuntimeDatabase,
  ) {}

  static async start(credentials: Credentials): Promise<Deployment> {
    const started: { stop(): Promise<unknown> }[] = [];
    const keep = <T extends { stop(): Promise<unknown> }>(one: T) => (started.push(one), one);
    try {
      const primary = keep(await startPostgres());
      const redis = keep(await startRedis({ appendOnly: true }));
      const nats = keep(await startNats());
      const database = await createRuntimeDatabase(primary);
      const forwarder = await startForwarder(primary.port);
      const deployment = new Deployment(primary, forwarder, redis, nats, database);
      started.splice(0, started.length, { stop: () => deployment.close() });
      await deployment.pretendAge();
      for (let i = 1; i <= REPLICAS; i++) deployment.replicas.push(await deployment.startReplica(i, credentials));
      return deployment;
    } catch (error) {
      for (const one of started.reverse()) await one.stop();
      throw error;
    }
  }

  get postgres(): PostgresServer {
    return this.primary;
  }

  get redisNodes(): readonly RedisServer[] {
    return [this.redis];
  }

  /** Of the superuser, on the server that is the primary now. */
  get databaseUrl(): string {
    return this.onPort(this.database.adminUrl, this.primary.port);
  }

  async pausePostgres(): Promise<void> {
    this.paused = await pausePostgres(this.primary);
  }

  resumePostgres(): void {
    resumePostgres(this.paused);
    this.paused = [];
  }

  /** A standby follows the primary; from now on a commit is acknowledged when the standby has it. */
  async addStandby(): Promise<void> {
    this.standby = await startCopy(this.primary, { isStandby: true });
    await withPostgres(this.primary.url, async (client) => {
      await client.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
      await client.query('SELECT pg_reload_conf()');
      await until('the standby is synchronous', async () => {
        const { rowCount } = await client.query(
          "SELECT FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')",
        );
        return rowCount === 1;
      });
    });
  }

  /** The primary is killed for good, and the standby takes its place and its address. */
  async promoteStandby(): Promise<void> {
    const [former, standby] = [this.primary, this.standby];
    if (!standby) throw new Error('there is no standby');
    await killPostgres(former);
    await withPostgres(standby.url, (client) => client.query('SELECT pg_promote()'));
    this.primary = standby;
    this.standby = undefined;
    this.forwarder.leadTo(standby.port);
    await former.stop();
  }

  /** A task of the past: its events and the tombstone of an attachment are older than history is kept. */
  async ageHistory(): Promise<void> {
    await withPostgres(this.databaseUrl, async (client) => {
      await client.query(`UPDATE outbox_history SET at = at - ${AGE} WHERE task_id = $1`, [AGED_TASK]);
      await client.query(
        `UPDATE task_attachments SET version = version - (extract(epoch FROM ${AGE}) * 4096000)::bigint
           WHERE task_id = $1 AND deleted`,
        [AGED_TASK],
      );
    });
  }

  get agedTask(): string {
    return AGED_TASK;
  }

  /** Each replica purges when it starts, and then every hour. */
  untilPurged(): Promise<boolean> {
    return withPostgres(this.databaseUrl, (client) =>
      until('the events and tombstones of the past are purged', async () => {
        const left = `SELECT FROM outbox_history WHERE task_id = $1
          UNION ALL SELECT FROM task_attachments WHERE task_id = $1 AND deleted`;
        return (await client.query(left, [AGED_TASK])).rowCount === 0;
      }),
    );
  }

  async close(): Promise<void> {
    // A process that is paused does not end.
    this.resumePostgres();
    for (const one of [...this.replicas, this.redis, this.nats]) await one.stop();
    await this.forwarder.close();
    await this.standby?.stop();
    await this.primary.stop();
  }

  /** As if the database were in use for longer than history is kept: the parts of its outbox begin before today. */
  private pretendAge(): Promise<unknown> {
    return withPostgres(this.databaseUrl, (client) =>
      client.query(
        `DO $$ BEGIN
           ALTER TABLE outbox_history DETACH PARTITION outbox_earlier;
           EXECUTE format('ALTER TABLE outbox_history ATTACH PARTITION outbox_earlier FOR VALUES FROM (MINVALUE) TO (%L)',
             date_trunc('day', now(), 'UTC') - interval '8 days');
         END $$`,
      ),
    );
  }

  private async startReplica(number: number, credentials: Credentials): Promise<Replica> {
    const environment = {
      ...LIMITS,
      ...credentials.environment,
      INSTANCE_ID: `replica-${number}`,
      NATS_URL: this.nats.url,
      // Prometheus finds it there after a restart, too.
      PORT: String(await freePort()),
      SHUTDOWN_DELAY_MS,
      NODE_OPTIONS: `--require ${JSON.stringify(COLLECT_GARBAGE)}`,
    };
    const databaseUrl = this.onPort(this.database.url, this.forwarder.port);
    return Replica.start(environment, databaseUrl, this.redisNodes, { hasProxies: false });
  }

  private onPort(url: string, port: number): string {
    const moved = new URL(url);
    moved.port = String(port);
    return moved.href;
  }
}
