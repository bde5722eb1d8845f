import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { databaseHarness, ORGANIZATION, storedTask, type PostgresHarness } from './attachment-store.harness';

describe('PostgresOutbox', () => {
  let server: PostgresServer;
  let harness: PostgresHarness;
  const sessions: PublisherSession[] = [];
  const clients: Client[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    harness = await databaseHarness(serverDatabase({ url: server.url, poolSize: 4 }));
  });
  afterEach(async () => {
    await Promise.all(
      [...sessions.splice(0), ...clients.splice(0).map((client) => ({ close: () => client.end() }))].map((one) =>
        one.close(),
      ),
    );
  });
  afterAll(async () => {
    await harness?.close();
    await server?.stop();
  });

  describe('a reader', () => {
    const outbox = () => new PostgresOutbox(harness.connection);
    const read = (after?: string) => outbox().read({ organization: ORGANIZATION, after, limit: 100 });
    const start = async () => (await read())?.position as string;

    /** A transaction that has begun, in the order of the calls. */
    async function transaction(): Promise<Client> {
      const client = new Client({ connectionString: server.url });
      clients.push(client);
      await client.connect();
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      return client;
    }
    const record = (client: Client, taskId: string, name: string) =>
      client.query(
        `INSERT INTO outbox (op_id, task_id, kind, event) VALUES ($1, $2, 'task', json_build_object('type', $3::text))`,
        [randomUUID(), taskId, name],
      );
    const types = (page: Awaited<ReturnType<typeof read>>) => page?.events.map(({ event }) => event.type);

    it('misses nothing that is committed late', async () => {
      const [{ id: a }, { id: b }] = [await storedTask(harness), await storedTask(harness)];
      let after = await start();
      const [slow, fast] = [await transaction(), await transaction()];
      await record(slow, a, 'slow');
      await record(fast, b, 'fast');
      await fast.query('COMMIT');
      const first = await read(after);
      expect(types(first)).toEqual(['fast']);
      after = first?.position as string;
      expect(types(await read(after))).toEqual([]);
      await slow.query('COMMIT');
      expect(types(await read(after))).toEqual(['slow']);
      expect(types(await read((await read(after))?.position))).toEqual([]);
    });

    it('misses nothing when it resumes from within a page', async () => {
      const { id } = await storedTask(harness);
      const after = await start();
      const [slow, fast] = [await transaction(), await transaction()];
      await record(slow, id, 'slow');
      for (const name of ['1', '2', '3']) await record(fast, id, name);
      await fast.query('COMMIT');
      const position = (await read(after))?.events[0]?.position as string;
      await slow.query('COMMIT');
      const rest = await read(position);
      expect(types(rest)).toEqual(['2', '3']);
      expect(types(await read(rest?.position))).toEqual(['slow']);
    });

    it('sees changes in their order, although the later one began its transaction first', async () => {
      const { id } = await storedTask(harness);
      let after = await start();
      const [later, , earlier] = [await transaction(), await transaction(), await transaction()];
      await record(earlier, id, 'earlier');
      await earlier.query('COMMIT');
      await record(later, id, 'later');
      await later.query('COMMIT');
      const seen: (string | undefined)[] = [];
      for (const _ of [1, 2]) {
        const page = await read(after);
        seen.push(...(types(page) ?? []));
        after = page?.position as string;
      }
      expect(seen).toEqual(['earlier', 'later']);
    });
  });

  describe('publishing replicas', () => {
    function replica(): PostgresOutbox & { close(): Promise<void> } {
      const session = new PublisherSession(server.url);
      sessions.push(session);
      return Object.assign(new PostgresOutbox(harness.connection, session), { close: () => session.close() });
    }
    const leads = async (outbox: PostgresOutbox) => (await outbox.unpublished(1)) !== undefined;

    it('are one at a time, and the next takes over when it ends', async () => {
      const [first, second] = [replica(), replica()];
      expect([await leads(first), await leads(second), await leads(first), await leads(second)]).toEqual([
        true,
        false,
        true,
        false,
      ]);
      await first.close();
      await until('the second publishes', () => leads(second), 5000);
      expect(await leads(first)).toBe(false);
    });

    it('are replaced within five seconds when they fall silent, and notice it', async () => {
      const [frozen, second] = [replica(), replica()];
      expect(await leads(frozen)).toBe(true);
      await until('the second publishes', () => leads(second), 5000);
      await expect(leads(frozen).catch(() => false)).resolves.toBe(false);
    });

    it('come back after an outage of the database', async () => {
      const outbox = replica();
      expect(await leads(outbox)).toBe(true);
      await server.kill();
      await expect(outbox.unpublished(1)).rejects.toMatchObject({ store: 'postgres', outcome: 'unavailable' });
      await server.restart();
      await until('it publishes again', () => leads(outbox).catch(() => false), 5000);
    });
  });
});
