import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { StoreError } from '../../src/core/ports/store-error';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { aPut, found, NOW_MS, ORGANIZATION, postgresHarness, storedTask, TIMEOUT_MS } from './attachment-store.harness';

const unavailable = new StoreError('postgres', 'unavailable');
const timeout = new StoreError('postgres', 'timeout');

/** Passes everything on to a port until it is told to swallow it. */
class Proxy {
  silent = false;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async to(port: number): Promise<Proxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new Proxy(server);
    server.on('connection', (caller) => {
      const callee = connect(port, '127.0.0.1');
      proxy.pass(caller, callee);
      proxy.pass(callee, caller);
    });
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private pass(from: Socket, to: Socket): void {
    this.sockets.add(from);
    from.on('data', (data) => this.silent || to.write(data));
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  }
}

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

  async function eventually(work: () => Promise<unknown>): Promise<void> {
    const giveUpAtMs = performance.now() + 10_000;
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (performance.now() > giveUpAtMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  const sleepers = () =>
    connected(server.port, (connection) =>
      connection.query<{ count: string }>("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
    );

  it('may be opened while the server is away, and works when it comes', async () => {
    await connected(server.port, async (connection) => {
      await server.kill();
      await expect(connection.query('SELECT 1')).rejects.toEqual(unavailable);
      await expect(connection.ping()).rejects.toEqual(unavailable);
      await expect(runMigrations(serverDatabase({ url: server.url, poolSize: 1 }))).rejects.toEqual(unavailable);
      await server.restart();
      await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      await expect(connection.ping()).resolves.toBeUndefined();
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
      await eventually(async () => {
        const [row] = await sleepers();
        expect(row?.count).toBe('3');
      });
      await server.kill();
      await cutOff;
      await expect(found(harness, taskId)).rejects.toEqual(unavailable);
      await server.restart();
      await eventually(async () => expect(await found(harness, taskId)).toEqual(one.attachment));
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

  it('rolls back what fails, and keeps the session', async () => {
    await connected(server.port, async (connection) => {
      const failing = connection.transaction(async (query) => {
        await query('CREATE TABLE rolled_back ()');
        await query('SELECT 1 / 0');
      });
      await expect(failing).rejects.toEqual(new StoreError('postgres', 'failed'));
      await expect(connection.query("SELECT to_regclass('rolled_back') AS found")).resolves.toEqual([{ found: null }]);
    });
  });

  it('stops a statement that takes too long, on the server too', async () => {
    await connected(server.port, async (connection) => {
      await expect(connection.query('SELECT pg_sleep(20)')).rejects.toEqual(timeout);
      await expect(sleepers()).resolves.toEqual([{ count: '0' }]);
    });
  });

  it('does not wait for a server that has fallen silent', async () => {
    const proxy = await Proxy.to(server.port);
    try {
      await connected(proxy.port, async (connection) => {
        await connection.query('SELECT 1');
        proxy.silent = true;
        const query = connection.query('SELECT 1');
        const startedAtMs = performance.now();
        await expect(connection.ping()).rejects.toBeInstanceOf(StoreError);
        expect(performance.now() - startedAtMs).toBeLessThan(1500);
        await expect(query).rejects.toEqual(timeout);
        proxy.silent = false;
        await expect(connection.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      });
    } finally {
      proxy.close();
    }
  });

  it('does not wait for a server that accepts and says nothing', async () => {
    const proxy = await Proxy.to(server.port);
    proxy.silent = true;
    try {
      await connected(proxy.port, async (connection) => {
        await expect(connection.query('SELECT 1')).rejects.toEqual(unavailable);
      });
    } finally {
      proxy.close();
    }
  });
});
