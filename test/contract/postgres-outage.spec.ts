import { PING_TIMEOUT_MS } from '../../src/inbound/health/dependency';
import { StoreError } from '../../src/core/ports/store-error';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startFaultProxy } from '../support/fault-proxy';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { aPut, found, NOW_MS, ORGANIZATION, postgresHarness, storedTask, TIMEOUT_MS } from './attachment-store.harness';

const unavailable = new StoreError('postgres', 'unavailable');
/** Longer than the server may wait for a lock. */
const TOO_LONG_MS = 2000;
const timeout = new StoreError('postgres', 'timeout');

describe('PostgresConnection', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function connected<T>(port: number, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    const connection = new PostgresConnection(serverDatabase({ url, poolSize: 3 }));
    return work(connection).finally(() => connection.close());
  }

  const sleepers = () =>
    connected(server.port, (connection) =>
      connection.query<{ count: string }>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
    );

  it('may be opened while the server is unavailable, and works when the server is back', async () => {
    await connected(server.port, async (connection) => {
      await server.kill();
      await expect(connection.query('SELECT 1')).rejects.toEqual(unavailable);
      await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toEqual(unavailable);
      await expect(runMigrations(serverDatabase({ url: server.url, poolSize: 1 }))).rejects.toEqual(unavailable);
      await server.restart();
      await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      await expect(connection.ping(PING_TIMEOUT_MS)).resolves.toBeUndefined();
    });
  });

  it('survives a crash of the server, which keeps what it acknowledged', async () => {
    await runMigrations(serverDatabase({ url: server.url, poolSize: 1 }));
    await connected(server.port, async (connection) => {
      const harness = postgresHarness(connection);
      const { id: taskId } = await storedTask(harness);
      const one = aPut({ taskId });
      await harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);

      const running = [1, 2, 3].map(() => connection.query('SELECT pg_sleep(4)'));
      const cutOff = Promise.all(running.map((query) => expect(query).rejects.toEqual(unavailable)));
      await until('all are running', async () => (await sleepers())[0]?.count === '3');
      await server.kill();
      await cutOff;
      await expect(found(harness, taskId)).rejects.toEqual(unavailable);
      await server.restart();
      const kept = await until('the server responds again', () => found(harness, taskId).catch(() => undefined));
      expect(kept).toEqual(one.attachment);
    });
  });

  it('survives the end of a session between two statements of a transaction', async () => {
    await connected(server.port, async (connection) => {
      const transaction = connection.transaction(async (query) => {
        const [row] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await connection.query('SELECT pg_terminate_backend($1, 5000)', [row?.pid]);
        await query('SELECT 1');
      });
      await expect(transaction).rejects.toEqual(unavailable);
      await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    });
  });

  it('rolls back a transaction that fails, and keeps the session', async () => {
    await connected(server.port, async (connection) => {
      const failing = connection.transaction(async (query) => {
        await query('CREATE TABLE rolled_back ()');
        await query('SELECT 1 / 0');
      });
      await expect(failing).rejects.toEqual(new StoreError('postgres', 'refused'));
      await expect(connection.query("SELECT to_regclass('rolled_back') AS found")).resolves.toEqual([{ found: null }]);
    });
  });

  it.each([
    ['refused', 'data that the type does not accept', "SELECT 'x'::integer"],
    [
      'refused',
      'a constraint that does not hold',
      'CREATE TEMP TABLE t (a integer NOT NULL) ON COMMIT DROP; INSERT INTO t VALUES (NULL)',
    ],
    ['failed', 'more columns than the server allows', `SELECT ${new Array(2000).fill(1).join()}`],
    ['failed', 'a fault of our own', 'SELECT missing'],
  ] as const)('reports as %s: %s', async (outcome, _, text) => {
    await connected(server.port, async (connection) => {
      const statements = connection.transaction(async (query) => {
        for (const statement of text.split(';')) await query(statement);
      });
      await expect(statements).rejects.toEqual(new StoreError('postgres', outcome));
    });
  });

  describe('a call whose time is up', () => {
    const SHORT_MS = 200;
    /** Shorter than the server's own limits: a statement that is gone by then has been cancelled. */
    const SOON_MS = 3000;

    const waiters = () =>
      connected(server.port, (connection) =>
        connection.query("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
      );

    it('leaves no statement on the server that waits for a lock, or holds one', async () => {
      await connected(server.port, async (connection) => {
        await connection.query('CREATE TABLE counted AS SELECT 0 AS count');
        await connection.transaction(async (query) => {
          await query('UPDATE counted SET count = count + 1');
          const blocked = connection.transaction(async (other) => {
            await other('SELECT pg_advisory_xact_lock(1)');
            await other('UPDATE counted SET count = count + 1');
          }, SHORT_MS);
          await expect(blocked).rejects.toEqual(timeout);
          await until('no statement waits', async () => (await waiters()).length === 0, SOON_MS);
          // The lock of the call that was given up is free again, while the row is still locked.
          await query('SELECT pg_advisory_xact_lock(1)');
        });
        await expect(connection.query('SELECT count FROM counted')).resolves.toEqual([{ count: 1 }]);
      });
    });

    it('also ends between two statements, and is rolled back', async () => {
      await connected(server.port, async (connection) => {
        await connection.query('CREATE TABLE unfinished ()');
        let isOver = false;
        const slow = connection.transaction(async (query) => {
          await query('INSERT INTO unfinished DEFAULT VALUES');
          await until('the time is up', () => isOver);
        }, SHORT_MS);
        await expect(slow).rejects.toEqual(timeout);
        isOver = true;
        await until('it is rolled back', async () => {
          const [row] = await connection.query<{ held: number }>(
            "SELECT count(*)::integer AS held FROM pg_locks WHERE relation = 'unfinished'::regclass",
          );
          return row?.held === 0;
        });
        await expect(connection.query('SELECT FROM unfinished')).resolves.toEqual([]);
      });
    });

    it('stops waiting for a session, and writes nothing when one is free', async () => {
      await connected(server.port, async (connection) => {
        await connection.query('CREATE TABLE too_late ()');
        let free = 0;
        const busy = [1, 2, 3].map(() => connection.query('SELECT pg_sleep(2)').finally(() => free++));
        await expect(connection.query('INSERT INTO too_late DEFAULT VALUES', [], SHORT_MS)).rejects.toEqual(timeout);
        expect(free).toBe(0);
        await Promise.all(busy);
        await expect(connection.query('SELECT FROM too_late')).resolves.toEqual([]);
      });
    });

    it('is refused at once if too many others wait', async () => {
      await connected(server.port, async (connection) => {
        await connection.query('SELECT 1');
        let served = 0;
        const wait = () => connection.query('SELECT pg_sleep(0.001)').finally(() => served++);
        const crowd = Promise.allSettled(Array.from({ length: 2000 }, wait));
        await expect(connection.query('SELECT 1')).rejects.toEqual(new StoreError('postgres', 'busy'));
        expect(served).toBe(0);
        const outcomes = await crowd;
        expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
        await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      });
    });
  });

  it('distinguishes a busy pool from an unavailable server, and pings the server beside the pool', async () => {
    const proxy = await startFaultProxy(server.port);
    try {
      await connected(proxy.port, async (connection) => {
        const busy = [1, 2, 3].map(() => connection.query('SELECT pg_sleep(3)'));
        await until('all are running', async () => (await sleepers())[0]?.count === '3');
        const waiting = expect(connection.query('SELECT 1')).rejects.toEqual(timeout);
        await connection.ping(PING_TIMEOUT_MS);
        await connection.ping(PING_TIMEOUT_MS);
        await Promise.all([waiting, ...busy]);
      });
      proxy.silence('both');
      await connected(proxy.port, async (connection) => {
        const calls = [1, 2, 3, 4].map(() => expect(connection.query('SELECT 1')).rejects.toEqual(unavailable));
        await Promise.all(calls);
      });
    } finally {
      await proxy.close();
    }
  });

  it('pings a server that refuses the pool its sessions as one that is unavailable', async () => {
    const limit = (connections: number) =>
      connected(server.port, (connection) => connection.query(`ALTER ROLE limited CONNECTION LIMIT ${connections}`));
    await connected(server.port, (connection) => connection.query('CREATE ROLE limited LOGIN'));
    await limit(1);
    const url = `postgres://limited@127.0.0.1:${server.port}/postgres`;
    const connection = new PostgresConnection(serverDatabase({ url, poolSize: 3 }));
    try {
      // The session of the pings is the only one that the role may have.
      await connection.ping(PING_TIMEOUT_MS);
      const refused = {
        outcome: 'unavailable',
        reason: expect.stringContaining('too many connections for role') as unknown,
      };
      await expect(connection.query('SELECT 1')).rejects.toMatchObject(refused);
      await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toMatchObject(refused);
      await limit(10);
      await connection.ping(PING_TIMEOUT_MS);
    } finally {
      await connection.close();
    }
  });

  it('takes a ping of seconds for a response, and ends no session of the pool after one that takes too long', async () => {
    const proxy = await startFaultProxy(server.port);
    const sessions = () =>
      connected(server.port, (connection) =>
        connection.query<{ pid: number }>(
          "SELECT pid FROM pg_stat_activity WHERE application_name = 'dossier' AND pid <> pg_backend_pid()",
        ),
      );
    try {
      await connected(proxy.port, async (connection) => {
        proxy.delay(500);
        await connection.ping(PING_TIMEOUT_MS);
        await connection.ping(PING_TIMEOUT_MS);
        proxy.pass();
        await connection.query('SELECT 1');
        const before = await sessions();
        expect(before).toHaveLength(1);
        proxy.silence('replies');
        await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toEqual(timeout);
        proxy.pass();
        await connection.ping(PING_TIMEOUT_MS);
        await connection.query('SELECT 1');
        expect(await sessions()).toEqual(before);
      });
    } finally {
      await proxy.close();
    }
  });

  it('stops a statement that takes too long, also on the server', async () => {
    await connected(server.port, async (connection) => {
      await expect(connection.query('SELECT pg_sleep(20)')).rejects.toEqual(timeout);
      await expect(sleepers()).resolves.toEqual([{ count: '0' }]);
    });
  });

  it('says of a call that takes too long that the server serves other organisations, unless their changes are late, too', async () => {
    await connected(server.port, async (connection) => {
      const late = (how: 'query' | 'change', of = 'a') =>
        connection[how]('SELECT pg_sleep(20)', [], TOO_LONG_MS, of).catch((error: unknown) => error);
      const lateWhileServing = async (how: 'query' | 'change', other: string, of?: string) => {
        let isOver = false;
        const outcome = late(how, of).finally(() => (isOver = true));
        while (!isOver) await connection.query('SELECT pg_sleep(0.01)', [], undefined, other);
        return outcome;
      };
      expect(await lateWhileServing('query', 'a')).toMatchObject({ outcome: 'timeout', servedOthers: false });
      const [read, change] = await Promise.all([lateWhileServing('query', 'b'), lateWhileServing('change', 'b')]);
      expect(read).toMatchObject({ outcome: 'timeout', servedOthers: true });
      expect(change).toMatchObject({ outcome: 'timeout', servedOthers: true });
      expect(await lateWhileServing('query', 'a')).toMatchObject({ outcome: 'timeout', servedOthers: true });
      expect(await late('query')).toMatchObject({ outcome: 'timeout', servedOthers: false });

      // As on a disk that takes no more writes.
      const changes = () => Promise.all(['a', 'b'].map((of) => lateWhileServing('change', 'c', of)));
      await changes();
      const timeOut = { outcome: 'timeout', servedOthers: false };
      expect(await changes()).toMatchObject([timeOut, timeOut]);
    });
  });

  it('does not wait for a server that has fallen silent', async () => {
    const proxy = await startFaultProxy(server.port);
    try {
      await connected(proxy.port, async (connection) => {
        await connection.query('SELECT 1');
        proxy.silence('both');
        await expect(connection.query('SELECT 1')).rejects.toEqual(timeout);
        proxy.pass();
        await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      });
    } finally {
      await proxy.close();
    }
  });

  it('does not wait for a server that accepts a connection and stays silent', async () => {
    const proxy = await startFaultProxy(server.port);
    proxy.silence('both');
    try {
      await connected(proxy.port, async (connection) => {
        await expect(connection.query('SELECT 1')).rejects.toEqual(unavailable);
      });
    } finally {
      await proxy.close();
    }
  });
});
