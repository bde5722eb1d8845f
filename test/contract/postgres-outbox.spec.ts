import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { taskCompleted, taskCreated } from '../../src/core/domain/domain-event';
import { completeTask } from '../../src/core/domain/task';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import type { EventPage, OutboxChanges } from '../../src/core/ports/outbox';
import type { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { NatsUse } from '../../src/outbound/postgres/nats-use';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { PostgresStoreServer } from '../../src/outbound/postgres/postgres-store-server';
import { PublisherSession } from '../../src/outbound/postgres/publisher-session';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aPut,
  aTask,
  databaseHarness,
  drainOne,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { planOf, watched, type PlanNode } from './query-plan';

const LOOK_BACK_MS = 3_600_000;

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

  /** A transaction that has begun, in the order of the calls. */
  async function transaction(): Promise<Client> {
    const client = new Client({ connectionString: server.url });
    clients.push(client);
    await client.connect();
    await client.query('BEGIN');
    await client.query('SELECT pg_current_xact_id()');
    return client;
  }

  it('has the readers of what the service records from the functions, without the trigger', async () => {
    const own = await databaseHarness(serverDatabase({ url: await server.createDatabase(), poolSize: 4 }));
    try {
      await own.connection.query('DROP TRIGGER set_readers ON outbox_history');
      const root = await storedTask(own);
      const task = aTask({ parentId: root.id });
      const puts = [aPut({ taskId: task.id, key: 'first' })];
      await own.tasks.insert(task, puts, taskCreated(task, randomUUID()), TIMEOUT_MS);
      const completed = completeTask(task, {}, { by: 'ada', nowMs: NOW_MS });
      const result = aPut({ taskId: task.id, key: 'result' });
      await own.tasks.update(completed, taskCompleted(completed, randomUUID()), result, TIMEOUT_MS);
      // More than are written alone.
      const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
      const put = (one: AttachmentPut) => own.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
      await Promise.all(keys.map((key) => put(aPut({ taskId: task.id, key }))));
      await drainOne(own, { organization: ORGANIZATION, put: aPut({ taskId: task.id, key: 'fresh' }) });
      await drainOne(own, { organization: ORGANIZATION, put: aPut({ taskId: task.id }, { version: 1002 }) });

      const rows = await own.connection.query('SELECT task_id, organization, ancestors FROM outbox');
      expect(rows).toHaveLength(2 + 1 + 2 + keys.length + 2);
      for (const { task_id, ...readers } of rows as { task_id: string }[]) {
        expect(readers).toEqual({ organization: ORGANIZATION, ancestors: task_id === root.id ? null : [root.id] });
      }
    } finally {
      await own.close();
    }
  });

  describe('a reader', () => {
    const outbox = () => new PostgresOutbox(harness.connection);
    const read = (after?: string) => outbox().read({ organization: ORGANIZATION, after, limit: 100 }, TIMEOUT_MS);
    const start = async () => (await read())?.position as string;

    const record = (client: Client, taskId: string, name: string) =>
      client.query(
        `INSERT INTO outbox_history (op_id, task_id, kind, event) VALUES ($1, $2, 'task', json_build_object('type', $3::text))`,
        [randomUUID(), taskId, name],
      );
    const types = (page: Awaited<ReturnType<typeof read>>) => page?.events.map(({ event }) => event.type);

    it('misses no event that is committed late', async () => {
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

    /** The statement of a page, and how PostgreSQL carries it out. */
    async function pagePlanOf(connection: PostgresConnection, after?: string): Promise<readonly PlanNode[]> {
      const { connection: own, asked } = watched(connection);
      const outbox = new PostgresOutbox(own);
      const page = { organization: ORGANIZATION, after, limit: 100 };
      // The first call also reads the key.
      for (const _ of [1, 2]) await outbox.read(page, TIMEOUT_MS);
      const nodes = await planOf(connection.query.bind(connection), asked.at(-1) as (typeof asked)[0]);
      return nodes.filter((node) => node['Relation Name']?.startsWith('outbox'));
    }

    it('reads no rows of other organisations, and few of its own', async () => {
      const crowded = await databaseHarness(serverDatabase({ url: await server.createDatabase(), poolSize: 1 }));
      const outbox = new PostgresOutbox(crowded.connection);
      const read = async (after?: string) =>
        (await outbox.read({ organization: ORGANIZATION, after, limit: 100 }, TIMEOUT_MS)) as EventPage;
      const { position: after } = await read();
      const { id } = await storedTask(crowded, {}, 'crowd');
      const mine = await storedTask(crowded);
      for (const [taskId, count] of [
        [id, 20_000],
        [mine.id, 3000],
        [id, 20_000],
      ] as const) {
        await crowded.connection.query(
          `INSERT INTO outbox_history (op_id, task_id, kind, event)
           SELECT gen_random_uuid(), $1, 'task', '{"type":"crowd"}' FROM generate_series(1, $2::integer)`,
          [taskId, count],
          TIMEOUT_MS,
        );
      }
      await crowded.connection.query('ANALYZE outbox_history');
      const page = await read(after);
      expect([page.events.length, page.more]).toEqual([100, true]);
      for (const position of [after, page.position, (await read()).position, undefined]) {
        const nodes = await pagePlanOf(crowded.connection, position);
        expect(nodes.map((node) => node['Index Name'])).toContain('outbox_by_organization');
        for (const node of nodes) {
          expect(node['Index Name']).toMatch(/^outbox_(by_organization|(\w+_)?pkey|\w+_organization_seq_idx)$/);
          expect(node['Actual Rows'] * node['Actual Loops']).toBeLessThanOrEqual(500);
          expect(node['Rows Removed by Filter'] ?? 0).toBe(0);
        }
      }
      await crowded.close();
    });

    it('gives positions of one length, which tell nothing and cannot be made', async () => {
      const [first, slow] = [await start(), await transaction()];
      const busy = await Promise.all([transaction(), transaction(), transaction()]);
      const second = await start();
      for (const client of [slow, ...busy]) await client.query('ROLLBACK');
      expect(first).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(second.length).toBe(first.length);
      expect(Buffer.from(first, 'base64url').toString('latin1')).not.toMatch(/\d+:\d+:/);
      const flipped = first.startsWith('A') ? `B${first.slice(1)}` : `A${first.slice(1)}`;
      for (const made of ['1:1:', '745:745:', flipped, `${first}A`, 'AAAA']) expect(await read(made)).toBeUndefined();
    });

    it('misses no event when it resumes from within a page', async () => {
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

    it('sees changes in their order, although the transaction of the later one began first', async () => {
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

  it('names the epochs of its history that have ended, whatever asks for the identity', async () => {
    const own = await databaseHarness(serverDatabase({ url: await server.createDatabase(), poolSize: 2 }));
    try {
      const identities = new PostgresStoreServer(own.connection);
      const ended: string[] = [];
      for (const _ of [1, 2]) {
        const { epoch, past } = await identities.look();
        expect(past).toEqual(new Set(ended));
        ended.push(epoch);
        await identities.beginEpoch(epoch);
      }
      const { identity } = await new PostgresOutbox(own.connection).changes(undefined, 10, LOOK_BACK_MS);
      expect(identity).toEqual(await identities.look());
      expect(identity.past).toEqual(new Set(ended));
    } finally {
      await own.close();
    }
  });

  describe('a reader whose position is of an epoch that has ended', () => {
    let own: PostgresHarness;
    let task: string;
    beforeEach(async () => {
      own = await databaseHarness(serverDatabase({ url: await server.createDatabase(), poolSize: 2 }));
      ({ id: task } = await storedTask(own));
    });
    afterEach(() => own.close());

    /** As a replica does: each has its own. */
    const read = (after?: string, limit = 100) =>
      new PostgresOutbox(own.connection).read({ organization: ORGANIZATION, after, limit }, TIMEOUT_MS);
    const start = async () => (await read())?.position as string;
    const record = async (...names: string[]) => {
      for (const name of names) {
        await own.connection.query(
          `INSERT INTO outbox_history (op_id, task_id, kind, event)
           VALUES (gen_random_uuid(), $1, 'task', json_build_object('type', $2::text))`,
          [task, name],
        );
      }
    };
    /** The events up to now, and the position behind them. */
    async function follow(after: string, limit = 100): Promise<{ types: string[]; position: string }> {
      const types: string[] = [];
      for (let position = after; ;) {
        const page = (await read(position, limit)) as EventPage;
        types.push(...page.events.map(({ event }) => event.type));
        ({ position } = page);
        if (!page.more) return { types, position };
      }
    }
    /** Follows until all that was there is behind the position, whatever transaction may still add. */
    async function settle(after: string): Promise<string> {
      let position = after;
      for (let i = 0; i < 3; i++) {
        await own.connection.query('SELECT pg_current_xact_id()');
        ({ position } = await follow(position));
      }
      return position;
    }
    const epoch = async () => {
      const [row] = await own.connection.query<{ epoch: string }>('SELECT epoch FROM database_identity');
      return (row as { epoch: string }).epoch;
    };
    const beginEpoch = async () => own.connection.query('SELECT begin_epoch($1)', [await epoch()]);
    const backUp = async () => {
      const [row] = await own.connection.query<{ seq: string; epoch: string; ended: object }>(
        'SELECT (SELECT max(seq) FROM outbox) AS seq, epoch, ended_epochs AS ended FROM database_identity',
      );
      return row as { seq: string; epoch: string; ended: object };
    };
    /** As on a server that was restored: its rows are gone, and their numbers are used again. */
    async function restore({ seq, epoch, ended }: Awaited<ReturnType<typeof backUp>>): Promise<void> {
      for (const table of ['outbox_history', 'outbox_waiting']) {
        await own.connection.query(`DELETE FROM ${table} WHERE seq > $1`, [seq]);
      }
      await own.connection.query("SELECT setval(pg_get_serial_sequence('outbox_history', 'seq'), $1)", [seq]);
      await own.connection.query('UPDATE database_identity SET epoch = $1', [epoch]);
      await own.connection.query('UPDATE database_identity SET ended_epochs = $1', [JSON.stringify(ended)]);
      await beginEpoch();
    }

    it('gets all that it can have missed, although the numbers of lost events are used again', async () => {
      const first = await start();
      await record('kept 1', 'kept 2');
      const within = (await read(first, 1))?.position as string;
      const backup = await backUp();
      await record('lost 1', 'lost 2', 'lost 3', 'lost 4');
      const behindLost = await settle(first);
      await restore(backup);
      await record('new 1', 'new 2');
      expect((await follow(behindLost)).types).toEqual(['new 1', 'new 2']);
      expect((await follow(behindLost, 1)).types).toEqual(['new 1', 'new 2']);
      expect((await follow(first, 1)).types).toEqual(['kept 1', 'kept 2', 'new 1', 'new 2']);
      expect(new Set((await follow(within)).types)).toEqual(new Set(['kept 1', 'kept 2', 'new 1', 'new 2']));
      const { position } = await follow(behindLost);
      await record('new 3');
      expect((await follow(position)).types).toEqual(['new 3']);
    });

    it('goes on through several epochs, from any event of any of them', async () => {
      const seen: { position: string; left: string[] }[] = [];
      const all = ['a 1', 'a 2', 'b 1', 'b 2', 'c 1', 'c 2'];
      let position = await start();
      seen.push({ position, left: all });
      for (const names of [all.slice(0, 2), all.slice(2, 4), all.slice(4)]) {
        await record(...names);
        for (const { event, position: behind } of await eventsUntilNow(position)) {
          seen.push({ position: behind, left: all.slice(all.indexOf(event.type) + 1) });
          position = behind;
        }
        await beginEpoch();
      }
      expect(seen).toHaveLength(7);
      for (const one of seen) {
        // Of a page that was not read to its end, events may come again.
        const { types } = await follow(one.position);
        expect(types.filter((type) => one.left.includes(type))).toEqual(one.left);
        expect(types.length).toBeLessThanOrEqual(one.left.length + 2);
      }
    });
    async function eventsUntilNow(after: string) {
      const events: EventPage['events'][number][] = [];
      for (let position = after; ;) {
        const page = (await read(position)) as EventPage;
        events.push(...page.events);
        ({ position } = page);
        if (!page.more) return events;
      }
    }

    it('is refused if a restore has undone that epoch', async () => {
      await record('kept');
      const backup = await backUp();
      const before = await start();
      await beginEpoch();
      const undone = await start();
      await restore(backup);
      expect(await read(undone)).toBeUndefined();
      expect((await follow(before)).types).toEqual([]);
    });

    it('gets nothing again when the transactions of the new server pass those of the rows that were restored', async () => {
      await record('old 1', 'old 2');
      await own.connection.query(
        'UPDATE outbox_history SET xid = (pg_current_xact_id()::text::bigint + 20)::text::xid8',
      );
      await beginEpoch();
      // While it is open, no reader knows that all transactions below it have ended.
      const client = new Client({
        connectionString: (
          await own.connection.query<{ url: string }>(
            "SELECT 'postgres://postgres@127.0.0.1:' || current_setting('port') || '/' || current_database() AS url",
          )
        )[0]?.url,
      });
      clients.push(client);
      await client.connect();
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
      let position = await start();
      for (let i = 0; i < 40; i++) {
        await own.connection.query('SELECT pg_current_xact_id()');
        const { types, position: next } = await follow(position);
        expect(types).toEqual([]);
        position = next;
      }
      await client.query('ROLLBACK');
      await record('new');
      expect((await follow(position)).types).toEqual(['new']);
    });
  });

  describe('a projection', () => {
    const changes = (from?: number, limit = 1000) =>
      new PostgresOutbox(harness.connection).changes(from, limit, LOOK_BACK_MS);
    const start = async () => (await changes()).to;
    const put = (taskId: string, key: string, version: number) =>
      harness.attachments.put(aPut({ taskId, key }, { version }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    const keysOf = ({ changes }: OutboxChanges) => changes.map((change) => 'key' in change && change.key);
    const recordChange = (client: Client, taskId: string, key: string) =>
      client.query(
        `INSERT INTO outbox_history (op_id, task_id, key, version, kind, event)
         VALUES ($1, $2, $3, 1000, 'attachment', '{"type":"task.attachment_created"}')`,
        [randomUUID(), taskId, key],
      );

    it('waits for a change that is committed late, and passes none over', async () => {
      const { id } = await storedTask(harness);
      const from = await start();
      await put(id, 'before', 1000);
      const [slow, later] = [await transaction(), await transaction()];
      await put(id, 'after', 1000);
      const first = await changes(from);
      expect(keysOf(first)).toEqual(['before']);
      expect(first.horizon).toBeGreaterThan(first.to);

      await recordChange(slow, id, 'slow');
      await slow.query('COMMIT');
      const second = await changes(first.to);
      expect(keysOf(second)).toEqual(['slow']);
      await later.query('ROLLBACK');
      const third = await changes(second.to);
      expect(keysOf(third)).toEqual(['after']);
      expect(third.to).toBeGreaterThanOrEqual(first.horizon);
      expect(keysOf(await changes(third.to))).toEqual([]);
    });

    it('starts again with the recent changes if it is ahead of every transaction that has ended', async () => {
      const { id } = await storedTask(harness);
      await put(id, 'recent', 1000);
      const slow = await transaction();
      await put(id, 'held back', 1000);
      const { to, horizon } = await changes();
      expect(horizon).toBeGreaterThan(to);
      const again = await changes(horizon);
      expect(again.to).toBe(to);
      expect(keysOf(again)).toContain('recent');
      expect(keysOf(again)).not.toContain('held back');
      await slow.query('ROLLBACK');
    });

    it.each(['force_custom_plan', 'force_generic_plan'])(
      'reads no more of the outbox than it must, at its start and after it: %s',
      async (mode) => {
        // In statements that each end in time on a busy machine.
        for (let part = 0; part < 50; part++) {
          await harness.connection.query(`
          INSERT INTO outbox_history (op_id, task_id, key, version, kind, event, at, xid)
          SELECT gen_random_uuid(), 't', 'k', 1000, 'attachment', '{"type":"task.attachment_created"}',
            now() - interval '1 day', '1'::xid8
          FROM generate_series(1, 1000)`);
        }
        await harness.connection.query('VACUUM ANALYZE outbox_history');
        const explain = (text: string, values: readonly unknown[] = []) =>
          harness.connection.transaction(async (query) => {
            await query(`SET LOCAL plan_cache_mode = ${mode}`);
            const [row] = await query<Record<string, unknown>>(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values);
            return JSON.stringify(row);
          });
        const plans: string[] = [];
        const queryAnyServer = async (text: string, values?: readonly unknown[]) => {
          plans.push(await explain(text, values));
          return harness.connection.queryAnyServer(text, values);
        };
        const observed = Object.assign(Object.create(harness.connection) as PostgresConnection, { queryAnyServer });
        const outbox = new PostgresOutbox(observed);
        const { to } = await outbox.changes(undefined, 100, LOOK_BACK_MS);
        await outbox.changes(to, 100, LOOK_BACK_MS);
        expect(plans).toHaveLength(2);
        for (const plan of plans) expect(plan).toContain('outbox_by_xid');
        for (const plan of plans)
          expect(plan).not.toMatch(/"Node Type":"Seq Scan"[^}]*"Relation Name":"outbox_earlier"/);
      },
    );
  });

  it('a replica without NATS publishes nothing in a database whose events go to NATS, until that is ended', async () => {
    const { connection } = harness;
    let nowMs = 0;
    const replica = (hasNats: boolean, onMissing?: () => void) =>
      new PostgresOutbox(connection, undefined, new NatsUse(connection, hasNats, onMissing, () => nowMs));
    const onMissing = jest.fn();
    const without = replica(false, onMissing);
    expect(await without.unpublished(1)).toBeDefined();
    const withNats = replica(true);
    expect(await withNats.unpublished(1)).toBeDefined();
    for (const _ of [1, 2]) expect(await without.unpublished(1)).toBeUndefined();
    expect(onMissing).toHaveBeenCalledTimes(1);
    await NatsUse.end(connection);
    expect(await without.unpublished(1)).toBeDefined();

    // A replica with NATS that still publishes says so again.
    nowMs += 10_000;
    expect(await withNats.unpublished(1)).toBeDefined();
    expect(await without.unpublished(1)).toBeUndefined();
    await NatsUse.end(connection);
  });

  it('tells its listener of what other replicas have recorded, once it has read the changes', async () => {
    const outbox = new PostgresOutbox(harness.connection);
    const listener = jest.fn();
    outbox.onRecorded(listener);
    const { to } = await outbox.changes(undefined, 1, 1000);
    listener.mockClear();
    await outbox.changes(to, 1, 1000);
    expect(listener).not.toHaveBeenCalled();
    // Any transaction may have recorded an event.
    await harness.connection.query('SELECT pg_current_xact_id()');
    expect(listener).not.toHaveBeenCalled();
    await outbox.changes(to, 1, 1000);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  describe('publishing replicas', () => {
    function replica(): PostgresOutbox & { close(): Promise<void> } {
      const session = new PublisherSession(server.url);
      sessions.push(session);
      return Object.assign(new PostgresOutbox(harness.connection, session), { close: () => session.close() });
    }
    const leads = async (outbox: PostgresOutbox) => (await outbox.unpublished(1)) !== undefined;

    it('publish one at a time, and the next takes over when one ends', async () => {
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

    it('look for events with a statement that is prepared once', async () => {
      const session = new PublisherSession(server.url);
      sessions.push(session);
      const outbox = new PostgresOutbox(harness.connection, session);
      for (const _ of [1, 2, 3]) expect(await leads(outbox)).toBe(true);
      const calls = 'SELECT generic_plans + custom_plans AS calls FROM pg_prepared_statements WHERE statement LIKE $1';
      const prepared = await session.lead((query) => query<{ calls: string }>(calls, ['%waiting_events%']));
      expect(prepared).toEqual([{ calls: '3' }]);
    });

    it('take turns as each stands down, which has no effect on a replica that does not publish', async () => {
      const [first, second] = [replica(), replica()];
      expect([await leads(first), await leads(second)]).toEqual([true, false]);
      await second.standDown();
      expect([await leads(second), await leads(first)]).toEqual([false, true]);
      await first.standDown();
      expect([await leads(second), await leads(first)]).toEqual([true, false]);
      await second.standDown();
      expect([await leads(first), await leads(second)]).toEqual([true, false]);
    });

    it('also stand down without the database', async () => {
      const [outbox, other] = [replica(), replica()];
      expect(await leads(outbox)).toBe(true);
      await server.kill();
      await outbox.standDown();
      await server.restart();
      await until('another publishes', () => leads(other).catch(() => false), 5000);
      await until('it knows', async () => !(await leads(outbox).catch(() => true)), 5000);
    });

    it('are replaced within five seconds after they fall silent, and notice it', async () => {
      const [frozen, second] = [replica(), replica()];
      expect(await leads(frozen)).toBe(true);
      await until('the second publishes', () => leads(second), 5000);
      await expect(leads(frozen).catch(() => false)).resolves.toBe(false);
    });

    it('publish again after an outage of the database', async () => {
      const outbox = replica();
      expect(await leads(outbox)).toBe(true);
      await server.kill();
      await expect(outbox.unpublished(1)).rejects.toMatchObject({ store: 'postgres', outcome: 'unavailable' });
      await server.restart();
      await until('it publishes again', () => leads(outbox).catch(() => false), 5000);
    });
  });
});
