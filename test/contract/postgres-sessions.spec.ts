import { StoreError } from '../../src/core/ports/store-error';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { withPostgres } from '../support/setups';
import { aPut, found, NOW_MS, ORGANIZATION, postgresHarness, storedTask, TIMEOUT_MS } from './attachment-store.harness';

const STRANGE_DEFAULTS = [
  "datestyle = 'German'",
  "intervalstyle = 'iso_8601'",
  "timezone = 'Asia/Kolkata'",
  'standard_conforming_strings = off',
  "bytea_output = 'escape'",
  'array_nulls = off',
  'transform_null_equals = on',
  'extra_float_digits = -15',
  "default_transaction_isolation = 'serializable'",
  'synchronous_commit = off',
  'max_parallel_workers_per_gather = 4',
  'statement_timeout = 500',
  'lock_timeout = 500',
  'idle_session_timeout = 500',
  'idle_in_transaction_session_timeout = 500',
];

describe('a session of PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const asAdmin = (...statements: string[]) =>
    withPostgres(server.url, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  const as = (role: string, url: string) => url.replace('postgres@', `${role}@`);
  async function connected<T>(url: string, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = new PostgresConnection(serverDatabase({ url, poolSize: 3 }));
    return work(connection).finally(() => connection.close());
  }

  it('sets all that statements depend on, whatever defaults its role has', async () => {
    await asAdmin('CREATE ROLE foreigner LOGIN SUPERUSER');
    await asAdmin(...STRANGE_DEFAULTS.map((setting) => `ALTER ROLE foreigner SET ${setting}`));
    const url = as('foreigner', await server.createDatabase());
    const publisher = new PublisherSession(url);
    try {
      await runMigrations(serverDatabase({ url, poolSize: 1 }));
      await connected(url, async (connection) => {
        const harness = postgresHarness(connection);
        const { id: taskId } = await storedTask(harness);
        const put = aPut({ taskId });
        await harness.attachments.put(put, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        expect(await found(harness, taskId)).toEqual(put.attachment);
        const limits = "name LIKE '%timeout' AND setting = '500'";
        await expect(connection.query(`SELECT name FROM pg_settings WHERE ${limits}`)).resolves.toEqual([]);
        await expect(connection.query('SHOW synchronous_commit')).resolves.toEqual([{ synchronous_commit: 'on' }]);
        const parallel = 'max_parallel_workers_per_gather';
        await expect(connection.query(`SHOW ${parallel}`)).resolves.toEqual([{ [parallel]: '0' }]);
      });
      const read = 'SELECT timestamptz $1::text AS at';
      await expect(
        publisher.lead((query) => query(read.replace('$1::text', "'2026-01-02 03:04:05Z'"))),
      ).resolves.toEqual([{ at: new Date('2026-01-02T03:04:05Z') }]);
    } finally {
      await publisher.close();
    }
  });

  it('refuses a database in another encoding by its name, and writes nothing to it', async () => {
    await asAdmin("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    const url = server.url.replace(/postgres$/, 'latin');
    await expect(runMigrations(serverDatabase({ url, poolSize: 1 }))).rejects.toMatchObject({
      outcome: 'failed',
      cause: { message: 'the database latin has the encoding LATIN1: it must be UTF8' },
    });
    await withPostgres(url, async (client) => {
      const { rows } = await client.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace");
      expect(rows).toEqual([]);
    });
  });

  it('is given up, and its statement repeated, if a table was altered since it was planned', async () => {
    await connected(server.url, async (connection) => {
      await connection.query("CREATE TABLE altered AS SELECT 1 AS a, 'x'::varchar(5) AS b");
      const read = () => connection.query('SELECT * FROM altered');
      // In all three sessions.
      await Promise.all([read(), read(), read()]);
      await asAdmin('ALTER TABLE altered ALTER b TYPE text, ADD c integer');
      for (let i = 0; i < 4; i++) await expect(read()).resolves.toEqual([{ a: 1, b: 'x', c: null }]);
    });
  });

  it('is given up in a transaction, too, which is repeated and takes effect once', async () => {
    await connected(server.url, async (connection) => {
      await connection.query('CREATE TABLE counted_once AS SELECT 0 AS count');
      const count = () =>
        connection.transaction(async (query) => {
          await query('UPDATE counted_once SET count = count + 1');
          return query('SELECT * FROM counted_once');
        });
      await count();
      await asAdmin('ALTER TABLE counted_once ALTER count TYPE bigint');
      await expect(count()).resolves.toEqual([{ count: '2' }]);
    });
  });

  it('loses a prepared statement, and the call does not notice', async () => {
    await connected(server.url, async (connection) => {
      await connection.query('SELECT 1 AS one');
      await connection.query('DEALLOCATE ALL');
      await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    });
  });

  it('is there for one owner, however many statements of another wait; these find the pool busy, not the server out', async () => {
    const connection = new PostgresConnection(serverDatabase({ url: server.url, poolSize: 8 }));
    try {
      await connection.query('CREATE TABLE hot AS SELECT 0 AS count');
      const write = () => connection.query('UPDATE hot SET count = count + 1, at = pg_sleep(0.2)', [], 5000, 'greedy');
      await connection.query('ALTER TABLE hot ADD at text');
      const writes = Array.from({ length: 100 }, () => write().catch((error: unknown) => error));
      // Behind all of them, it would find the pool busy as well.
      for (let i = 0; i < 20; i++) await connection.query('SELECT 1', [], 5000, 'modest');
      const failures = (await Promise.all(writes)).filter((outcome) => outcome instanceof Error);
      expect(failures.length).toBeGreaterThan(0);
      expect(failures.every((error) => error instanceof StoreError && error.outcome === 'busy')).toBe(true);
    } finally {
      await connection.close();
    }
  });

  it('is there for one owner, also if another one has more calls than may wait; these are refused, but not at once', async () => {
    const connection = new PostgresConnection(serverDatabase({ url: server.url, poolSize: 8 }));
    try {
      const read = (owner: string) => connection.query('SELECT 1 AS one', [], 5000, owner);
      const failures: unknown[] = [];
      const startedAtMs = performance.now();
      let firstFailedAfterMs = 0;
      const greedy = Array.from({ length: 2500 }, () =>
        read('greedy').catch((error: unknown) => {
          firstFailedAfterMs ||= performance.now() - startedAtMs;
          failures.push(error);
        }),
      );
      const modest = await Promise.all(Array.from({ length: 20 }, () => read('modest')));
      expect(modest).toEqual(Array(20).fill([{ one: 1 }]));
      await Promise.all(greedy);
      expect(failures.length).toBeGreaterThan(1000);
      expect(failures).toEqual(failures.map(() => new StoreError('postgres', 'busy')));
      expect(firstFailedAfterMs).toBeGreaterThan(900);
    } finally {
      await connection.close();
    }
  });

  it.each(['40P01', '40001'])(
    'repeats once what PostgreSQL rolls back for the sake of another call: %s',
    async (code) => {
      await connected(server.url, async (connection) => {
        let calls = 0;
        const collide = (times: number) => {
          calls = 0;
          return connection.transaction(async (query) => {
            if (++calls > times) return query('SELECT 1 AS one');
            return query(`DO $$ BEGIN RAISE EXCEPTION 'collision' USING ERRCODE = '${code}'; END $$`);
          });
        };
        await expect(collide(1)).resolves.toEqual([{ one: 1 }]);
        expect(calls).toBe(2);
        await expect(collide(9)).rejects.toEqual(new StoreError('postgres', 'busy'));
        expect(calls).toBe(2);
      });
    },
  );

  it('does not repeat what PostgreSQL cannot do at all', async () => {
    await connected(server.url, async (connection) => {
      const isolation = connection.query('CREATE TABLE t (a integer) PARTITION BY LIST (a, a)');
      await expect(isolation).rejects.toEqual(new StoreError('postgres', 'failed'));
    });
  });

  describe('that may not do its work', () => {
    const unavailable = new StoreError('postgres', 'unavailable');
    let url: string;
    afterEach(() => jest.restoreAllMocks());
    beforeEach(async () => {
      await asAdmin('DROP ROLE IF EXISTS clerk', 'CREATE ROLE clerk LOGIN');
      url = as('clerk', await server.createDatabase());
    });

    it.each([
      ['has no privilege', [], 'CREATE TABLE public.x ()', '42501'],
      ['is read-only', ['ALTER ROLE clerk SET default_transaction_read_only = on'], 'CREATE TABLE x ()', '25006'],
      ['may not connect', ['ALTER ROLE clerk NOLOGIN'], 'SELECT 1', '28000'],
      ['is one too many', ['ALTER ROLE clerk CONNECTION LIMIT 0'], 'SELECT 1', '53300'],
    ])('reports an outage, and its code: it %s', async (_, preparations, statement, code) => {
      await asAdmin(...preparations);
      await connected(url, async (connection) => {
        const failure = connection.query(statement);
        await expect(failure).rejects.toEqual(unavailable);
        await expect(failure).rejects.toMatchObject({ code });
      });
    });

    it('gives its sessions up once they may write again, and no call notices', async () => {
      await withPostgres(url.replace('clerk@', 'postgres@'), (client) =>
        client.query('CREATE TABLE notes (); GRANT ALL ON notes TO PUBLIC'),
      );
      await asAdmin('ALTER ROLE clerk SET default_transaction_read_only = on');
      await connected(url, async (connection) => {
        const write = () => connection.query('INSERT INTO notes DEFAULT VALUES');
        const writeAsOne = () => connection.transaction((query) => query('INSERT INTO notes DEFAULT VALUES'));
        for (const attempt of await Promise.allSettled([write(), write(), writeAsOne()])) {
          expect(attempt).toEqual({ status: 'rejected', reason: unavailable });
        }
        await expect(connection.unfitness()).resolves.toMatch(/^the server takes no writes: /);
        await asAdmin('ALTER ROLE clerk RESET default_transaction_read_only');
        const nowMs = performance.now.bind(performance);
        jest.spyOn(performance, 'now').mockImplementation(() => nowMs() + 30_000);
        await Promise.all([write(), writeAsOne(), write(), writeAsOne(), write(), writeAsOne()]);
        await expect(connection.unfitness()).resolves.toBeUndefined();
      });
    });

    it('keeps its sessions for some time while they may not write, and reads in them', async () => {
      await asAdmin('ALTER ROLE clerk SET default_transaction_read_only = on');
      await connected(url, async (connection) => {
        const pids = new Set<number>();
        for (let i = 0; i < 100; i++) {
          await expect(connection.query('CREATE TABLE x ()')).rejects.toEqual(unavailable);
          const [row] = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
          pids.add(row?.pid as number);
        }
        expect(pids.size).toBeLessThan(10);
      });
    });

    it('reports an outage if its database has been dropped', async () => {
      await asAdmin(`DROP DATABASE ${new URL(url).pathname.slice(1)}`);
      await connected(url, async (connection) => {
        await expect(connection.query('SELECT 1')).rejects.toEqual(unavailable);
      });
      // But a start does not take the wrong database for an outage.
      await expect(runMigrations(serverDatabase({ url, poolSize: 1 }))).rejects.toMatchObject({ outcome: 'failed' });
    });
  });
});
