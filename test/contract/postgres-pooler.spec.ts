import { isOutage, type StoreError } from '../../src/core/ports/store-error';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPgBouncer, type PgBouncer } from '../support/pgbouncer';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { withPostgres } from '../support/setups';
import { aPut, found, NOW_MS, ORGANIZATION, postgresHarness, storedTask, TIMEOUT_MS } from './attachment-store.harness';

const SHARED = /DATABASE_URL leads to a pooler that takes sessions away after each transaction/;

describe('PostgreSQL behind PgBouncer', () => {
  let postgres: PostgresServer;
  let pooler: PgBouncer | undefined;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterEach(() => pooler?.stop());
  afterAll(() => postgres?.stop());

  const database = (url: string, directUrl?: string) => serverDatabase({ url, directUrl, poolSize: 3 });
  const tablesOf = (url: string) =>
    withPostgres(url, async (client) => {
      const { rows } = await client.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace");
      return rows.length;
    });

  describe('in session mode, with its default settings', () => {
    let url: string;
    beforeEach(async () => {
      pooler = await startPgBouncer(postgres);
      url = pooler.through(await postgres.createDatabase());
    });

    it('serves as the server itself does', async () => {
      await database(url).check();
      await runMigrations(database(url));
      const connection = new PostgresConnection(database(url));
      try {
        const harness = postgresHarness(connection);
        const { id: taskId } = await storedTask(harness);
        const put = aPut({ taskId });
        await harness.attachments.put(put, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        expect(await found(harness, taskId)).toEqual(put.attachment);
        await connection.ping(TIMEOUT_MS);
        const rows = await connection.query("SELECT setting FROM pg_settings WHERE name = 'lock_timeout'");
        expect(rows).toEqual([{ setting: '1500' }]);
      } finally {
        await connection.close();
      }
    });

    it('does not count as available from the moment at which the pooler takes sessions away, until it no longer does', async () => {
      const connection = new PostgresConnection(database(url));
      try {
        await connection.ping(TIMEOUT_MS);
        const error = async () => {
          // Other calls, so that the sessions of the server go round.
          const calls = [1, 2].map(() => connection.query('SELECT pg_sleep(0.01)').catch(() => undefined));
          const [failure] = await Promise.all([
            connection.ping(TIMEOUT_MS).catch((reason: unknown) => reason),
            ...calls,
          ]);
          return failure as StoreError | undefined;
        };
        await pooler?.reload({ pool_mode: 'transaction' });
        await until('the ping fails', error);
        for (let i = 0; i < 3; i++) {
          expect(await error()).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(SHARED) as string });
        }
        await pooler?.reload({ pool_mode: 'session' });
        await until('the ping succeeds', async () => (await error()) === undefined);
      } finally {
        await connection.close();
      }
    });

    it('lets one publisher lead, and the next one when the first has gone', async () => {
      await runMigrations(database(url));
      const [first, second] = [new PublisherSession(url), new PublisherSession(url)];
      const lead = (publisher: PublisherSession) => publisher.lead(() => Promise.resolve(true));
      try {
        expect(await lead(first)).toBe(true);
        expect(await lead(second)).toBeUndefined();
        await first.close();
        let hasLead: boolean | undefined;
        while (!hasLead) hasLead = await lead(second).catch(() => undefined);
      } finally {
        await Promise.all([first.close(), second.close()]);
      }
    });

    it('applies the settings in the URL, which the pooler would refuse, except those that the service needs', async () => {
      const options = encodeURIComponent('-c search_path=tasks,public --datestyle=German -cwork_mem=8MB');
      const given = `${url}?statement_timeout=1&lock_timeout=1&options=${options}`;
      await withPostgres(url, (client) => client.query('CREATE SCHEMA tasks'));
      await database(given).check();
      await runMigrations(database(given));
      const connection = new PostgresConnection(database(given));
      const publisher = new PublisherSession(given);
      const ask =
        "SELECT current_setting('search_path') AS path, current_setting('datestyle') AS dates," +
        " current_setting('work_mem') AS memory, 'outbox'::regclass::oid = 'tasks.outbox'::regclass::oid AS found";
      const expected = [{ path: 'tasks,public', dates: 'ISO, MDY', memory: '8MB', found: true }];
      try {
        await expect(connection.query(ask)).resolves.toEqual(expected);
        await expect(publisher.lead((query) => query(ask))).resolves.toEqual(expected);
        await connection.ping(TIMEOUT_MS);
      } finally {
        await publisher.close();
        await connection.close();
      }
    });
  });

  describe.each([
    ['transaction', {}],
    ['transaction', { server_round_robin: 1 }],
    ['transaction', { default_pool_size: 1 }],
    ['statement', {}],
  ])('in %s mode (%o)', (pool_mode, more) => {
    it('is refused in one line, and nothing is written', async () => {
      pooler = await startPgBouncer(postgres, { pool_mode, ...more });
      const directUrl = await postgres.createDatabase();
      const url = pooler.through(directUrl);
      const refusal = (name: string) => ({
        outcome: 'failed',
        cause: {
          message: expect.stringMatching(
            new RegExp(`^${name} leads to a pooler [^\n]* pool_mode to session`),
          ) as string,
        },
      });
      // Sessions of the server that the pooler may take in turn.
      await Promise.all([1, 2, 3].map(() => withPostgres(url, (client) => client.query('SELECT pg_sleep(0.1)'))));
      await expect(database(url).check()).rejects.toMatchObject(refusal('DATABASE_URL'));
      await expect(database(url, directUrl).check()).rejects.toMatchObject(refusal('DATABASE_URL'));
      await expect(database(directUrl, url).check()).rejects.toMatchObject(refusal('DATABASE_DIRECT_URL'));
      const connection = new PostgresConnection(database(url));
      await expect(connection.migrate(true))
        .rejects.toMatchObject(refusal('DATABASE_URL'))
        .finally(() => connection.close());
      expect(await tablesOf(directUrl)).toBe(0);
    });

    it('is refused while other clients use it, too', async () => {
      pooler = await startPgBouncer(postgres, { pool_mode, ...more });
      const url = pooler.through(await postgres.createDatabase());
      let isOver = false;
      const others = Array.from({ length: 6 }, () =>
        withPostgres(url, async (client) => {
          while (!isOver) await client.query('SELECT pg_sleep(0.001)');
        }),
      );
      for (let i = 0; i < 5; i++) {
        await expect(database(url).check()).rejects.toMatchObject({ outcome: 'failed' });
      }
      isOver = true;
      await Promise.all(others);
    });
  });

  it('is migrated, and its lock is held, past the pooler', async () => {
    pooler = await startPgBouncer(postgres, { max_client_conn: 3 });
    const directUrl = await postgres.createDatabase();
    const url = pooler.through(directUrl);
    const both = database(url, directUrl);
    await both.check();
    // The pooler takes no other client now.
    await withPostgres(url, () =>
      withPostgres(url, () =>
        withPostgres(url, async () => {
          await expect(runMigrations(both)).resolves.not.toEqual([]);
        }),
      ),
    );
  });

  it('is refused if DATABASE_DIRECT_URL leads to another database or server', async () => {
    pooler = await startPgBouncer(postgres);
    const url = pooler.through(await postgres.createDatabase());
    const other = await startPostgres();
    try {
      for (const directUrl of [await postgres.createDatabase(), await other.createDatabase()]) {
        await expect(database(url, directUrl).check()).rejects.toMatchObject({
          outcome: 'failed',
          cause: { message: 'DATABASE_DIRECT_URL leads to another server or database than DATABASE_URL' },
        });
        expect(await tablesOf(directUrl)).toBe(0);
      }
    } finally {
      await other.stop();
    }
  });

  it('is unavailable, not wrong, while the pooler cannot reach it', async () => {
    const gone = await startPostgres();
    pooler = await startPgBouncer(gone);
    const url = pooler.through(gone.url);
    await gone.stop();
    const error: unknown = await database(url)
      .check()
      .catch((reason: unknown) => reason);
    expect(isOutage(error)).toBe(true);
  });
});
