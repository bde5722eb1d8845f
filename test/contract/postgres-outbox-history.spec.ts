import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { EventPage } from '../../src/core/ports/outbox';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PostgresStoreServer } from '../../src/outbound/postgres/postgres-store-server';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import {
  aPut,
  databaseHarness,
  deleteTree,
  drainOne,
  NOW_MS,
  ORGANIZATION,
  postgresHarness,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { blocksOf } from './query-plan';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('the history of the outbox', () => {
  let server: PostgresServer;
  let url: string;
  let harness: PostgresHarness;
  let outbox: PostgresOutbox;
  beforeAll(async () => {
    server = await startPostgres();
  });
  beforeEach(async () => {
    url = await server.createDatabase();
    harness = await databaseHarness(serverDatabase({ url, poolSize: 3 }));
    outbox = new PostgresOutbox(harness.connection);
  });
  afterEach(() => harness?.close());
  afterAll(() => server?.stop());

  const query = <Row>(text: string, values?: readonly unknown[]) =>
    harness.connection.query<Row>(text, values, TIMEOUT_MS);
  const unpublished = async () => (await outbox.unpublished(1000)) ?? [];
  const publishAll = async () => outbox.markPublished(await unpublished());
  const purge = async (beforeMs: number) => {
    while ((await outbox.purge(beforeMs)).more);
  };
  const read = async (after?: string) =>
    (await outbox.read({ organization: ORGANIZATION, after, limit: 100 }, TIMEOUT_MS)) as EventPage;
  const parts = () =>
    query<{ part: string; begins: string | null; ends: string }>(
      `SELECT part::text, begins_at::text AS begins, ends_at::text AS ends FROM outbox_days() ORDER BY ends_at`,
    );
  const partsOf = async (taskId: string) => {
    const rows = await query<{ part: string }>(
      'SELECT tableoid::regclass::text AS part FROM outbox_history WHERE task_id = $1 ORDER BY seq',
      [taskId],
    );
    return rows.map(({ part }) => part);
  };
  const midnight = (inDays: number) =>
    `${new Date((Math.floor(Date.now() / DAY_MS) + inDays) * DAY_MS).toISOString().slice(0, 10)} 00:00:00+00`;
  /** Rows that are published, without the time limit of the service. */
  async function fill(count: number, at: string): Promise<void> {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(
      `INSERT INTO outbox_history (op_id, task_id, kind, event, unannounced, at)
       SELECT gen_random_uuid(), 't', 'task', '{"type":"task.updated","payload":{"id":"t"}}', true, $2
       FROM generate_series(1, $1::integer)`,
      [count, at],
    );
    await client.query('ANALYZE outbox_history, outbox_waiting');
    await client.end();
  }
  const buffersOf = (text: string, values: readonly unknown[]) => blocksOf(query, [text, values]);
  const PURGE = 'SELECT purge_outbox($1, 1000)';
  const isoIn = (ms: number) => new Date(Date.now() + ms).toISOString();

  it('has a part for today and for each of the next two days', async () => {
    const days = await parts();
    expect(days.map(({ begins, ends }) => [begins, ends])).toEqual([
      [null, midnight(1)],
      [midnight(1), midnight(2)],
      [midnight(2), midnight(3)],
    ]);
    await outbox.purge(0);
    expect(await parts()).toEqual(days);
  });

  it('takes an event that no day has a part for, and has parts again from behind it', async () => {
    for (const { part } of await parts()) await query(`DROP TABLE ${part}`);
    const { position } = await read();
    const { id } = await storedTask(harness);
    expect(await partsOf(id)).toEqual(['outbox_default']);
    expect((await read(position)).events).toHaveLength(1);
    expect(await unpublished()).toHaveLength(1);

    await outbox.purge(0);
    const days = await parts();
    // For longer than the row stays: until then a new part would have to be compared with it.
    expect(days.at(-1)?.ends).toBe(midnight(10));
    const [first, second] = days;
    expect(Date.parse(first?.begins as string)).toBeGreaterThan(Date.now());
    expect(Date.parse(first?.begins as string)).toBeLessThan(Date.now() + 2 * 60_000);
    expect(second?.begins).toBe(first?.ends);
    // The row stays where it is, and is forgotten like any other.
    await purge(Date.now() + 60_000);
    expect(await partsOf(id)).toEqual(['outbox_default']);
    await publishAll();
    await purge(Date.now() + 60_000);
    expect(await partsOf(id)).toEqual([]);
  });

  it('forgets a day without reading its rows', async () => {
    await fill(200_000, isoIn(0));
    const [size] = await query<{ pages: number }>(
      `SELECT (pg_total_relation_size('outbox_earlier') / 8192)::integer AS pages`,
    );
    expect(size?.pages).toBeGreaterThan(5000);
    // What is read is of the catalogue, most of it because the session does so for the first time.
    expect(await buffersOf(PURGE, [isoIn(DAY_MS)])).toBeLessThan(2500);
    expect((await parts()).map(({ begins }) => begins)).toEqual([midnight(1), midnight(2)]);
  });

  it('forgets a day beside many events that wait, without reading its bounds again for each of them', async () => {
    await query('DROP TABLE outbox_earlier');
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(
      'INSERT INTO outbox_waiting SELECT nth, gen_random_uuid(), now() FROM generate_series(1, 400000) AS nth',
    );
    await client.end();
    // A tenth of this is enough; with the bounds for each event it takes several times as long.
    await harness.connection.query(PURGE, [isoIn(2 * DAY_MS)], 2000);
    expect((await parts()).map(({ begins }) => begins)).toEqual([midnight(2)]);
  });

  it('forgets rows outside of the days in steps, none of which reads what another one has read', async () => {
    await fill(50_000, isoIn(30 * DAY_MS));
    const before = isoIn(31 * DAY_MS);
    for (let days = 0; days < 3; days++) await query(PURGE, [before]);
    const buffers: number[] = [];
    for (let step = 0; step < 40; step++) buffers.push(await buffersOf(PURGE, [before]));
    expect(buffers.at(-1)).toBeLessThan(1.5 * (buffers[1] as number));
    await expect(query('SELECT count(*)::integer FROM outbox_default')).resolves.toEqual([{ count: 10_000 }]);
  });

  it('does not change when events are published', async () => {
    const { id } = await storedTask(harness);
    await harness.attachments.put(aPut({ taskId: id }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    const rows = () => query('SELECT tableoid, ctid, xmin, xmax FROM outbox_history');
    const before = await rows();
    expect(before).toHaveLength(2);
    expect(await unpublished()).toHaveLength(2);
    await publishAll();
    expect(await unpublished()).toEqual([]);
    expect(await rows()).toEqual(before);
  });

  it('is purged later, if a long transaction reads it, and writes go on', async () => {
    const dump = new Client({ connectionString: url });
    await dump.connect();
    try {
      await dump.query('BEGIN; SELECT FROM outbox_history');
      await expect(outbox.purge(Date.now() + 2 * DAY_MS)).rejects.toMatchObject({ outcome: 'busy' });
      await storedTask(harness);
      await dump.query('COMMIT');
      await publishAll();
      await expect(outbox.purge(Date.now() + 2 * DAY_MS)).resolves.toEqual({ more: true });
    } finally {
      await dump.end();
    }
  });

  it('has one row for each op, on whichever day it was recorded', async () => {
    const [{ id }, { id: goneId }] = [await storedTask(harness), await storedTask(harness)];
    await deleteTree(harness, goneId);
    const [early, late] = [
      aPut({ taskId: id, key: 'k' }, { version: 1000 }),
      aPut({ taskId: id, key: 'k' }, { version: 2000 }),
    ];
    const journaled = { organization: ORGANIZATION, put: early };
    expect(await drainOne(harness, journaled)).toMatchObject({ state: 'applied' });
    await harness.attachments.put(late, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    const tooLate = { organization: ORGANIZATION, put: aPut({ taskId: goneId, key: 'k' }) };
    expect(await drainOne(harness, tooLate)).toMatchObject({ state: 'superseded' });
    await query("UPDATE outbox_history SET at = at + interval '1 day'");
    expect(await partsOf(id)).not.toContain('outbox_earlier');

    expect(await drainOne(harness, journaled)).toMatchObject({ state: 'superseded' });
    expect(await drainOne(harness, tooLate)).toMatchObject({ state: 'superseded' });
    for (const { put } of [journaled, tooLate]) expect(await harness.recordsOf(put.attachment.op)).toHaveLength(1);
  });

  it('serves a role that does not own it', async () => {
    const { url: runtimeUrl } = await createRuntimeDatabase(server);
    const runtime = postgresHarness(new PostgresConnection(serverDatabase({ url: runtimeUrl, poolSize: 1 })));
    const ofRuntime = new PostgresOutbox(runtime.connection);
    const read = async (after?: string) =>
      (await ofRuntime.read({ organization: ORGANIZATION, after, limit: 100 }, TIMEOUT_MS)) as EventPage;
    try {
      const { epoch } = await new PostgresStoreServer(runtime.connection).look();
      await new PostgresStoreServer(runtime.connection).beginEpoch(epoch);
      const { position } = await read();
      await storedTask(runtime);
      expect((await read(position)).events).toHaveLength(1);
      await ofRuntime.markPublished((await ofRuntime.unpublished(10)) ?? []);
      await expect(ofRuntime.backlog()).resolves.toMatchObject({ count: 0 });
      await expect(ofRuntime.purge(Date.now() + DAY_MS)).resolves.toEqual({ more: true });
      expect((await read(position)).events).toHaveLength(0);
      await storedTask(runtime);
      await ofRuntime.purge(0);
    } finally {
      await runtime.connection.close();
    }
  });

  it('finds what waits by indexes alone, with a plan from when nearly nothing was there', async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const find = (limit: number) => client.query('SELECT * FROM waiting_events($1, $2)', [limit, '']);
      const record = (organization: string, count: number, inDays: number) =>
        client.query(
          `INSERT INTO outbox_history (op_id, task_id, kind, event, organization, at)
           SELECT gen_random_uuid(), 't', 'task', '{"type":"task.updated"}', $1, now() + $3 * interval '1 day'
           FROM generate_series(1, $2::integer)`,
          [organization, count, inDays],
        );
      await record('another', 1, 0);
      await client.query('VACUUM ANALYZE outbox_waiting, outbox_history');
      // PostgreSQL keeps the plan that it has after five calls.
      for (let i = 0; i < 10; i++) await find(10);
      for (const day of [0, 1]) await record('crowd', 20_000, day);
      for (const organization of ['another', 'one more']) await record(organization, 10, 1);

      expect((await find(30)).rows).toHaveLength(30);
      const ask = async (text: string) => (await client.query(text)).rows as unknown[];
      expect(await blocksOf(ask, ["SELECT * FROM waiting_events(30, '')", []])).toBeLessThan(200);
    } finally {
      await client.end();
    }
  });

  /** As the previous release sends them. */
  describe('for a replica of the previous release', () => {
    const UNPUBLISHED = 'SELECT seq, task_id, event FROM outbox WHERE NOT published ORDER BY seq LIMIT $1';
    const MARK = 'UPDATE outbox SET published = true WHERE seq = ANY ($1) AND op_id = ANY ($2)';
    const PURGE = `
      WITH purged AS (
        DELETE FROM outbox WHERE seq IN (
          SELECT seq FROM outbox WHERE published AND at < $1
            AND seq < coalesce((SELECT seq FROM outbox WHERE at >= $1 ORDER BY seq LIMIT 1), 9223372036854775807)
          ORDER BY seq LIMIT $2
        )
        RETURNING 1
      )
      SELECT count(*)::integer AS count FROM purged`;

    it('is a table of which it publishes what waits', async () => {
      const { id } = await storedTask(harness);
      await harness.attachments.put(aPut({ taskId: id }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
      type Waiting = { seq: string; event: { metadata: { eventId: string } } };
      const [first, second] = await query<Waiting>(UNPUBLISHED, [100]);
      expect((await unpublished()).map(({ seq }) => String(seq))).toEqual([first?.seq, second?.seq]);
      await query(MARK, [[first?.seq], [randomUUID()]]);
      expect(await unpublished()).toHaveLength(2);
      await query(MARK, [[first?.seq], [first?.event.metadata.eventId]]);
      expect((await unpublished()).map(({ seq }) => String(seq))).toEqual([second?.seq]);
      expect(await query(UNPUBLISHED, [100])).toEqual([second]);
      await publishAll();
      expect(await query(UNPUBLISHED, [100])).toEqual([]);
    });

    it('finds what waits without reading the history', async () => {
      await fill(50_000, isoIn(0));
      await storedTask(harness);
      expect(await buffersOf(UNPUBLISHED, [100])).toBeLessThan(100);
    });

    it('loses no row to its purge', async () => {
      const { id } = await storedTask(harness);
      await publishAll();
      const later = new Date(Date.now() + DAY_MS).toISOString();
      expect(await query(PURGE, [later, 1000])).toEqual([{ count: 0 }]);
      expect(await partsOf(id)).toHaveLength(1);
    });
  });
});
