import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { revertMigrations, runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { sqlMigrations } from '../../src/outbound/postgres/sql-migrations';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { withPostgres } from '../support/setups';
import {
  aPut,
  found,
  NOW_MS,
  ORGANIZATION,
  postgresHarness,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { storedByEarlier } from './earlier-create-task';

/** Held by the replica that migrates. */
const MIGRATION_LOCK = '7234017283807667300';
/** The migrations of the releases that recorded them in the table `migrations`. */
const EARLIER = ['Initial1763683200000', 'WriteFunctions1763683200001'];
const LATER = [
  'NamedArguments1763683200002',
  'FingerprintsAndAncestors1763683200003',
  'Identity1763683200004',
  'TreesInSteps1763683200010',
  'EventsOfAnOrganization1763683200011',
  'JudgedByTheJournal1763683200020',
  'DrainAttachments1763683200021',
  'EndedEpochs1763683200030',
  'SchemaCompatibility1763683200040',
  'OutboxByDay1763683200050',
  'WriteAttachments1763683200070',
  'DueTasks1763683200080',
  'TracesOfEvents1763683200100',
  'TaskCounts1763683200110',
  'UnfinishedTasks1763683200111',
  'ReadersAreGiven1763683200112',
  'EpochOfADatabase1763683200120',
  'PurgeBesideWaitingEvents1763683200121',
  'LostTasks1763683200122',
  'ExpiredTasksInTurn1763683200131',
  'LocksOfCallers1763683200132',
  'TasksByAssignee1763683200133',
  'AttachmentsInSteps1763683200134',
  'EventsInTurn1763683200135',
  'SubTasksByPriority1763683200136',
  'PagesInIndex1763683200137',
  'ExpiriesInTurn1763683200138',
  'PrefixesInIndex1763683200139',
  'KeptPlans1763683200140',
];

describe('migrations', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** Sessions of the test are none of the service. */
  const emptyDatabase = async () =>
    serverDatabase({ url: `${await server.createDatabase()}?application_name=test`, poolSize: 2 });
  const objects = (connection: PostgresConnection) =>
    connection.query(`
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'dossier_migrations'
      UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      ORDER BY name`);

  const listed = ({ tasks }: PostgresHarness) => {
    const page = { limit: 1, offset: 0, orderBy: 'createdAt', descending: false, nowMs: NOW_MS } as const;
    return tasks.list({ organization: ORGANIZATION, ...page }, TIMEOUT_MS);
  };
  const recordsIn = (connection: PostgresConnection, table: string) =>
    connection.query<{ timestamp: string; name: string }>(`SELECT timestamp, name FROM ${table} ORDER BY id`);
  const recordOf = (name: string) => ({ timestamp: name.slice(-13), name });

  /** What a release did at its start that had the first two migrations, and TypeORM's own name for its table. */
  async function runEarlierRelease(database: Database, more: Partial<DataSourceOptions> = {}): Promise<string[]> {
    const migrations = sqlMigrations().slice(0, 2);
    const dataSource = new DataSource({ ...database.migrating, migrations, ...more } as DataSourceOptions);
    await dataSource.initialize();
    try {
      const done = await dataSource.runMigrations();
      return done.map(({ name }) => name);
    } finally {
      await dataSource.destroy();
    }
  }

  it('give up what another transaction holds, and change nothing', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    const other = new Client({ connectionString: database.server?.directUrl });
    try {
      await runEarlierRelease(database);
      await other.connect();
      await other.query('BEGIN; SELECT count(*) FROM tasks');
      const before = await objects(connection);
      await expect(runMigrations(database)).rejects.toMatchObject({
        outcome: 'busy',
        reason: expect.stringContaining('another transaction holds what the migration has to change') as string,
      });
      expect(await objects(connection)).toEqual(before);
      await other.query('COMMIT');
      expect(await runMigrations(database)).toEqual(LATER);
    } finally {
      await other.end();
      await connection.close();
    }
  });

  it('succeed beside calls that read a table before they change it, which they go on doing', async () => {
    const database = await emptyDatabase();
    const url = database.server?.directUrl;
    const names = [...EARLIER, ...LATER];
    const first = names.indexOf('PagesInIndex1763683200137');
    let isMigrated = false;
    const write = async (key: string) => {
      const client = new Client({ connectionString: url });
      await client.connect();
      let writes = 0;
      while (!isMigrated) {
        try {
          await client.query('BEGIN; SELECT FROM task_attachments LIMIT 1');
          await client.query('UPDATE task_attachments SET version = version + 1 WHERE key = $1', [key]);
          await client.query('COMMIT');
          writes += 1;
        } catch (error) {
          expect(error).toMatchObject({ code: '40P01' });
          await client.query('ROLLBACK');
        }
      }
      await client.end();
      return writes;
    };
    try {
      const migrations = sqlMigrations().slice(0, first);
      await runEarlierRelease(database, { migrations, migrationsTableName: 'dossier_migrations' });
      await withPostgres(url ?? '', async (client) => {
        await client.query('SET session_replication_role = replica');
        await client.query(
          `INSERT INTO task_attachments
             (task_id, key, id, type, content, bytes, created_by, created_at, updated_at, version, op_id, deleted)
           SELECT 't', 'k' || n, 'ta-' || n, 'text', 'x', 1, 'ada', now(), now(), n, gen_random_uuid(), false
           FROM generate_series(1, 30000) AS n`,
        );
      });
      const writers = Array.from({ length: 8 }, (__, n) => write(`k${n + 1}`));
      try {
        expect(await runMigrations(database)).toEqual(names.slice(first));
      } finally {
        isMigrated = true;
        for (const writes of await Promise.all(writers)) expect(writes).toBeGreaterThan(0);
      }
    } finally {
      await database.close();
    }
  });

  it('of another process are waited for, and that is told', async () => {
    const database = await emptyDatabase();
    const other = new Client({ connectionString: database.server?.directUrl });
    try {
      await other.connect();
      await other.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
      const migrated = new Promise<readonly string[]>((resolve, reject) => {
        const onWait = () => void other.query('SELECT pg_advisory_unlock_all()').catch(reject);
        runMigrations(database, onWait).then(resolve, reject);
      });
      expect(await migrated).toEqual([...EARLIER, ...LATER]);
    } finally {
      await other.end();
      await database.close();
    }
  });

  describe.each<[string, () => Promise<Database>]>([
    ['PostgreSQL', emptyDatabase],
    ['PGlite', openMemoryDatabase],
  ])('on %s', (_, open) => {
    it('go up, down without a trace, and up again to a schema that works', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        const names = await runMigrations(database);
        expect(names).toEqual([...EARLIER, ...LATER]);
        await expect(runMigrations(database)).resolves.toEqual([]);
        const created = await objects(connection);
        expect(created.length).toBeGreaterThan(5);

        await revertMigrations(database);
        expect(await objects(connection)).toEqual([]);

        await runMigrations(database);
        const harness = postgresHarness(connection);
        const { id: taskId } = await storedTask(harness);
        await harness.attachments.put(aPut({ taskId }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        expect(await found(harness, taskId)).toBeDefined();
        expect(await objects(connection)).toEqual(created);
      } finally {
        await connection.close();
      }
    });

    it('are not run again if an earlier release recorded them, and its data stays', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        expect(await runEarlierRelease(database)).toEqual(EARLIER);
        const harness = postgresHarness(connection);
        const task = await storedByEarlier(connection);
        const { id: taskId } = task;
        // As the earlier release stored it: its function takes fewer arguments.
        await connection.query(
          `INSERT INTO task_attachments
             (task_id, key, id, type, value, bytes, created_by, created_at, updated_at, version, op_id, deleted)
           VALUES ($1, 'k', 'ta-1', 'json', '1', 1, 'ada', now(), now(), 1000, gen_random_uuid(), false)`,
          [taskId],
        );

        await expect(runMigrations(database)).resolves.toEqual(LATER);
        expect(await found(harness, taskId)).toBeDefined();
        expect((await listed(harness)).totalCount).toBe(1);
        // What the task was created with is not known.
        expect(await harness.tasks.repeated(task, [], TIMEOUT_MS)).toBeUndefined();
        expect(await recordsIn(connection, 'dossier_migrations')).toEqual([...EARLIER, ...LATER].map(recordOf));
        await expect(runMigrations(database)).resolves.toEqual([]);
        // A replica of the earlier release that starts beside this one.
        await expect(runEarlierRelease(database)).resolves.toEqual([]);
        expect(await recordsIn(connection, 'migrations')).toEqual(EARLIER.map(recordOf));
      } finally {
        await connection.close();
      }
    });

    it('keep the events of an earlier release, and what of them waits to be published', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        await runEarlierRelease(database);
        const harness = postgresHarness(connection);
        const { id: taskId } = await storedByEarlier(connection);
        // The clock of the server was ahead when the last one was recorded.
        await connection.query(
          `INSERT INTO outbox (op_id, task_id, kind, event, published, at)
           SELECT gen_random_uuid(), $1, 'task', json_build_object('nth', nth), nth = 2, now() + days * interval '1 day'
           FROM (VALUES (2, -9), (3, -8), (4, 5)) AS events(nth, days) ORDER BY nth`,
          [taskId],
        );
        await runMigrations(database);

        const next = await storedTask(harness);
        const events = await connection.query<{ published: boolean }>('SELECT published FROM outbox ORDER BY seq');
        expect(events.map(({ published }) => published)).toEqual([false, true, false, false, false]);
        const waiting = (await new PostgresOutbox(connection).unpublished(10)) ?? [];
        expect(waiting.map((one) => one.taskId)).toEqual([taskId, taskId, taskId, next.id]);
        expect(waiting.slice(1, 3).map(({ event }) => event)).toEqual([{ nth: 3 }, { nth: 4 }]);
      } finally {
        await connection.close();
      }
    });

    it('end no epoch with the longer name of the database, unless it is not the one that was noted', async () => {
      for (const [noted, isKept] of [
        ['server', true],
        ["'another/00000001'", false],
      ] as const) {
        const database = await open();
        const connection = new PostgresConnection(database);
        try {
          const migrations = sqlMigrations().slice(0, [...EARLIER, ...LATER].indexOf('EpochOfADatabase1763683200120'));
          await runEarlierRelease(database, { migrations, migrationsTableName: 'dossier_migrations' });
          const [before] = await connection.query<{ epoch: string }>(
            `UPDATE database_identity SET server = ${noted} RETURNING epoch`,
          );

          expect((await runMigrations(database))[0]).toBe('EpochOfADatabase1763683200120');
          const identity = 'SELECT epoch, server = present_server() AS here FROM database_identity';
          expect(await connection.query(identity)).toEqual([{ ...before, here: isKept }]);
        } finally {
          await connection.close();
        }
      }
    });

    it('are undone if an earlier release recorded them, and no release takes them for done after that', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        await runEarlierRelease(database);
        await connection.query(
          "INSERT INTO migrations (timestamp, name) VALUES (1700000000000, 'Foreign1700000000000')",
        );
        await revertMigrations(database);
        expect(await objects(connection)).toEqual([{ name: 'migrations' }]);
        expect(await recordsIn(connection, 'migrations')).toEqual([recordOf('Foreign1700000000000')]);
        await expect(runEarlierRelease(database)).resolves.toEqual(EARLIER);
      } finally {
        await connection.close();
      }
    });

    it.each([
      [
        'another TypeORM application',
        'CREATE TABLE migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL)',
        "INSERT INTO migrations (timestamp, name) VALUES (1700000000000, 'Foreign1700000000000')",
      ],
      [
        'an application with other columns',
        'CREATE TABLE migrations (id serial PRIMARY KEY, migration varchar NOT NULL, batch integer NOT NULL)',
        "INSERT INTO migrations (migration, batch) VALUES ('2014_10_12_000000_create_users_table', 1)",
      ],
      [
        'an application with names of another type',
        'CREATE TABLE migrations (name integer)',
        'INSERT INTO migrations VALUES (1)',
      ],
    ])('leave the table `migrations` of %s as it is', async (_, create, insert) => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        await connection.query(create);
        await connection.query(insert);
        const before = await connection.query('SELECT xmin, m.* FROM migrations m');
        expect(await runMigrations(database)).toHaveLength(EARLIER.length + LATER.length);
        expect(await recordsIn(connection, 'dossier_migrations')).toHaveLength(EARLIER.length + LATER.length);
        await revertMigrations(database);
        expect(await connection.query('SELECT xmin, m.* FROM migrations m')).toEqual(before);
      } finally {
        await connection.close();
      }
    });

    it('are recorded in `dossier_migrations` alone on a new database', async () => {
      const database = await open();
      const connection = new PostgresConnection(database);
      try {
        await runMigrations(database);
        expect(await objects(connection)).not.toContainEqual({ name: 'migrations' });
        expect(await recordsIn(connection, 'dossier_migrations')).toHaveLength(EARLIER.length + LATER.length);
      } finally {
        await connection.close();
      }
    });
  });

  it('ignore a table `migrations` that they may not read', async () => {
    const url = `${await server.createDatabase()}?application_name=test`;
    const owner = new PostgresConnection(serverDatabase({ url, poolSize: 2 }));
    try {
      await owner.query(
        'CREATE TABLE migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL)',
      );
      await owner.query('CREATE ROLE tenant LOGIN');
      await owner.query('GRANT CREATE, USAGE ON SCHEMA public TO tenant');
      const tenant = serverDatabase({ url: url.replace('postgres@', 'tenant@'), poolSize: 2 });
      expect(await runMigrations(tenant)).toHaveLength(EARLIER.length + LATER.length);
      await expect(revertMigrations(tenant)).resolves.toBeUndefined();
    } finally {
      await owner.close();
    }
  });

  it('run once when several replicas start at once on a database of an earlier release', async () => {
    const url = await server.createDatabase();
    await runEarlierRelease(serverDatabase({ url, poolSize: 2 }));
    const replicas = Array.from({ length: 5 }, () => runMigrations(serverDatabase({ url, poolSize: 2 })));
    const done = await Promise.all(replicas);
    expect(done.map(({ length }) => length).sort()).toEqual([0, 0, 0, 0, LATER.length]);
  });

  it('run once when several replicas start at once', async () => {
    const url = await server.createDatabase();
    const replicas = Array.from({ length: 5 }, () => runMigrations(serverDatabase({ url, poolSize: 2 })));
    const done = await Promise.all(replicas);
    expect(done.map(({ length }) => length).sort()).toEqual([0, 0, 0, 0, EARLIER.length + LATER.length]);
  });

  it('do not wait for the lock when nothing is left to do', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    try {
      await runMigrations(database);
      await connection.transaction(async (query) => {
        await query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
        await expect(runMigrations(database)).resolves.toEqual([]);
      });
    } finally {
      await connection.close();
    }
  });

  it('leave no trace when one of them fails', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    try {
      await connection.query('CREATE TABLE outbox (seq bigint)');
      await expect(runMigrations(database)).rejects.toMatchObject({ store: 'postgres', outcome: 'failed' });
      expect(await objects(connection)).toEqual([{ name: 'outbox' }]);
    } finally {
      await connection.close();
    }
  });

  it('are not undone while a session of a replica is there, whatever its name', async () => {
    const url = await server.createDatabase();
    const database = serverDatabase({ url, poolSize: 1 });
    await runMigrations(database);
    const replica = new PostgresConnection(serverDatabase({ url, poolSize: 1 }));
    const renamed = new PublisherSession(`${url}?application_name=mine`);
    const inUse = {
      name: 'UnfitSchemaError',
      reason: 'the service is connected to the database (sessions: 1, from 127.0.0.1): stop it first',
    };
    try {
      await replica.query('SELECT FROM tasks');
      await expect(revertMigrations(database)).rejects.toMatchObject(inUse);
      await replica.close();
      await renamed.lead(() => Promise.resolve());
      await expect(revertMigrations(database)).rejects.toMatchObject(inUse);
      await renamed.close();
      await until('the session has ended', () =>
        revertMigrations(database).then(
          () => true,
          () => false,
        ),
      );
    } finally {
      await replica.close();
      await renamed.close();
    }
  });

  it('are undone all or none: not one, if a later release has made another, or if one cannot be undone', async () => {
    const database = await emptyDatabase();
    const connection = new PostgresConnection(database);
    try {
      await runMigrations(database);
      const created = await objects(connection);
      await connection.query(`INSERT INTO dossier_migrations ("timestamp", name) VALUES (9999999999999, 'Later')`);
      await expect(revertMigrations(database)).rejects.toMatchObject({
        reason: expect.stringContaining('Later') as unknown,
      });
      await connection.query(`DELETE FROM dossier_migrations WHERE name = 'Later'`);
      await connection.query('CREATE VIEW mine AS SELECT id FROM tasks');
      await expect(revertMigrations(database)).rejects.toMatchObject({ outcome: 'failed' });
      expect(await objects(connection)).toEqual(created);
      expect(await recordsIn(connection, 'dossier_migrations')).toHaveLength(EARLIER.length + LATER.length);
      await connection.query('DROP VIEW mine');
      await revertMigrations(database);
      expect(await objects(connection)).toEqual([]);
    } finally {
      await connection.close();
    }
  });

  it('are refused if one of them cannot be undone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-migrations-'));
    try {
      writeFileSync(join(folder, '1763683200000-initial.up.sql'), 'SELECT 1');
      expect(() => sqlMigrations(folder)).toThrow('1763683200000-initial.down.sql');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
