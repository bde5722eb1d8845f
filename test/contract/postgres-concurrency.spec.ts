import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { ExpiredAttachment } from '../../src/core/domain/attachment';
import { taskCompleted, taskCreated } from '../../src/core/domain/domain-event';
import { completeTask } from '../../src/core/domain/task';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import { StoreError } from '../../src/core/ports/store-error';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresExpiredAttachmentStore } from '../../src/outbound/postgres/postgres-expired-attachment-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { Random } from '../simulation/random';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aDeletion,
  aPut,
  aTask,
  databaseHarness,
  deleteTree,
  describeDeletion,
  drainOne,
  found,
  NOW_MS,
  ORGANIZATION,
  postgresHarness,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';

/** The code of PostgreSQL. A lock was not free in time, on a slow machine. */
const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';

describe('writers that meet on PostgreSQL', () => {
  let server: PostgresServer;
  let harness: PostgresHarness;
  let version = 1000;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await databaseHarness(serverDatabase({ url: server.url, poolSize: 16 }));
  });
  afterAll(async () => {
    await harness?.close();
    await server?.stop();
  });

  /** The codes of the statements that have failed, also of those that are repeated. */
  let codes: (string | undefined)[];
  beforeEach(() => {
    codes = [];
    const send = Reflect.get(Client.prototype, 'query') as (...args: unknown[]) => unknown;
    jest.spyOn(Client.prototype, 'query').mockImplementation(function (this: Client, ...args: unknown[]) {
      const reply = send.apply(this, args);
      if (reply instanceof Promise) reply.catch(({ code }: { code?: string }) => codes.push(code));
      return reply;
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    expect(codes).not.toContain(DEADLOCK);
  });

  it('take locks by what callers name, and never one of the service itself', async () => {
    const ours = Array.from({ length: 10 }, (_, i) => String(7234017283807667300n + BigInt(i)));
    const others = ['7234017283807667299', '7234017283807667310', '0', '-7234017283807667301', String(2n ** 63n - 1n)];
    const query = `
      SELECT hash, caller_lock(hash::bigint)::text AS lock FROM unnest($1::text[]) AS hash`;
    const rows = await harness.connection.query<{ hash: string; lock: string }>(query, [[...ours, ...others]]);
    const locks = new Map(rows.map(({ hash, lock }) => [hash, lock]));
    for (const lock of ours) expect(ours).not.toContain(locks.get(lock));
    for (const lock of others) expect(locks.get(lock)).toBe(lock);
    const [used] = await harness.connection.query(`
      SELECT task_lock('t') = caller_lock(hashtextextended('t', 0)) AS task,
        key_lock('t', 'k') = caller_lock(hashtextextended('t/k', 0)) AS key`);
    expect(used).toEqual({ task: true, key: true });
  });

  /** When every attachment with a time to live has expired. */
  const LATER_MS = NOW_MS + 60_000;
  const expiredOf = (connection: PostgresConnection) => new PostgresExpiredAttachmentStore(connection);
  const sweep = async (connection: PostgresConnection) => {
    const store = expiredOf(connection);
    return store.remove(await store.find(LATER_MS, 100));
  };
  const nextVersion = () => (version += 2);
  const put = (taskId: string, key: string, ttlSeconds?: number) =>
    harness.attachments.put(
      aPut({ taskId, key, ttlSeconds }, { version: nextVersion() }),
      ORGANIZATION,
      undefined,
      NOW_MS,
      TIMEOUT_MS,
    );
  const drain = (taskId: string, key: string) => {
    const put = aPut({ taskId, key }, { version: nextVersion() });
    return drainOne(harness, { organization: ORGANIZATION, put });
  };
  const remove = (taskId: string, key: string) =>
    harness.attachments.delete(aDeletion(taskId, key, nextVersion()), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);

  const insertBelow = (parentId: string) => {
    const task = aTask({ parentId });
    return harness.tasks.insert(task, [aPut({ taskId: task.id })], taskCreated(task, randomUUID()), TIMEOUT_MS);
  };
  const complete = async (taskId: string, key: string) => {
    const found = await harness.tasks.get(taskId, ORGANIZATION, NOW_MS, TIMEOUT_MS);
    if (!found) return;
    // Never finished for good, so that every round writes.
    const task = { ...completeTask(found.task, {}, { by: 'w', nowMs: NOW_MS }), status: 'in_progress' as const };
    const result = aPut({ taskId, key }, { version: nextVersion() });
    return harness.tasks.update(task, taskCompleted(task, randomUUID()), result, TIMEOUT_MS);
  };
  const pick = <T>(choices: readonly T[], i: number): T => choices[i % choices.length] as T;

  /** Keeps 16 writers busy with `count` writes in all. */
  async function busy(count: number, write: (i: number) => Promise<unknown>): Promise<void> {
    let next = 0;
    const writer = async () => {
      for (let i = next++; i < count; i = next++) await write(i);
    };
    await Promise.all(Array.from({ length: 16 }, writer));
  }

  async function expectCountsToBeRight(): Promise<void> {
    const wrong = await harness.connection.query(`
      SELECT id, attachment_count FROM tasks t WHERE attachment_count <> (
        SELECT count(*) FROM task_attachments a WHERE a.task_id = t.id AND NOT a.deleted
      )`);
    expect(wrong).toEqual([]);
    const kinds = 'organization, is_root, status, priority';
    const tasks = await harness.connection.query(`
      SELECT ${kinds}, sum(count)::integer AS kept, sum(there)::integer AS there FROM (
        SELECT ${kinds}, count, 0 AS there FROM task_counts
        UNION ALL SELECT organization, parent_id IS NULL, status, priority, 0, 1 FROM tasks WHERE deleted_version IS NULL
      ) AS counts
      GROUP BY ${kinds} HAVING sum(count) <> sum(there)`);
    expect(tasks).toEqual([]);
  }

  function unlessBusy(error: unknown): void {
    if (!(error instanceof StoreError && error.outcome === 'busy')) throw error;
  }

  async function expectOrder(taskId: string, keys: number): Promise<void> {
    const rows = await harness.connection.query<{ key: string; version: string }>(
      'SELECT key, version FROM outbox WHERE task_id = $1 AND key IS NOT NULL ORDER BY seq',
      [taskId],
    );
    const byKey = new Map<string, number[]>();
    for (const { key, version } of rows) byKey.set(key, [...(byKey.get(key) ?? []), Number(version)]);
    expect(byKey.size).toBe(keys);
    for (const versions of byKey.values()) expect(versions).toEqual([...versions].sort((a, b) => a - b));
  }

  it('never wait for each other in a circle, and leave the right count', async () => {
    const { id } = await storedTask(harness);
    const keys = ['a', 'b', 'c'];
    const writes = [put, remove, put, complete, remove];
    await busy(1500, (i) => pick(writes, i)(id, pick(keys, i)));
    await expectCountsToBeRight();

    const rows = await harness.connection.query<{ key: string; version: string }>(
      'SELECT key, version FROM outbox WHERE task_id = $1 AND key IS NOT NULL ORDER BY seq',
      [id],
    );
    for (const key of keys) {
      const versions = rows.filter((row) => row.key === key).map((row) => Number(row.version));
      expect(versions.length).toBeGreaterThan(50);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    }
  });

  it('apply and record a write once, although several try and drain it at once', async () => {
    const { id: taskId } = await storedTask(harness);
    for (let round = 0; round < 40; round++) {
      const one = aPut({ taskId, key: 'k' }, { version: nextVersion() });
      const other = aPut({ taskId, key: 'k' }, { version: nextVersion() });
      const drain = (put: AttachmentPut) => drainOne(harness, { organization: ORGANIZATION, put });
      await Promise.all([
        drain(one),
        drain(other),
        harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS),
        drain(one),
        drain(other),
      ]);
      expect((await found(harness, taskId))?.op).toBe(other.attachment.op);
      expect(await harness.recordsOf(one.attachment.op)).toHaveLength(1);
      expect(await harness.recordsOf(other.attachment.op)).toEqual([{ superseded: false, published: false }]);
    }
    await expectCountsToBeRight();
  });

  it('write nothing into a tree that is being deleted', async () => {
    for (let round = 0; round < 40; round++) {
      const root = await storedTask(harness);
      const child = await storedTask(harness, { parentId: root.id });
      const ids = [root.id, child.id];
      const writes = [
        ...ids.flatMap((id) => [put(id, 'a'), put(id, 'b'), remove(id, 'a'), complete(id, 'a'), insertBelow(id)]),
        deleteTree(harness, root.id),
        deleteTree(harness, child.id),
        ...ids.flatMap((id) => [put(id, 'a'), insertBelow(id), drain(id, 'c'), insertBelow(id)]),
      ];
      await Promise.all(writes);
    }
    await expectCountsToBeRight();
    const orphans = await harness.connection.query(`
      SELECT t.id FROM tasks t JOIN tasks parent ON parent.id = t.parent_id WHERE parent.deleted_version IS NOT NULL`);
    expect(orphans).toEqual([]);
    const leftovers = await harness.connection.query(`
      SELECT a.key FROM task_attachments a JOIN tasks t ON t.id = a.task_id WHERE t.deleted_version IS NOT NULL`);
    expect(leftovers).toEqual([]);
    const late = await harness.connection.query(`
      SELECT o.seq FROM outbox o JOIN outbox d ON d.task_id = o.task_id AND d.kind = 'task_deleted' AND d.seq < o.seq
      WHERE NOT o.published`);
    expect(late).toEqual([]);
  });

  it('wait for a deletion, and find the task missing after it', async () => {
    const { id } = await storedTask(harness);
    const blocked: Promise<unknown>[] = [];
    const describe = (tasks: Parameters<typeof describeDeletion>[0]) => {
      blocked.push(put(id, 'k'), insertBelow(id));
      return describeDeletion(tasks);
    };
    await deleteTree(harness, id, { describe });
    await expect(Promise.all(blocked)).resolves.toEqual([{ state: 'task-missing' }, 'parent-missing']);
  });

  it('do not hold each other up on different keys of a task', async () => {
    const { id } = await storedTask(harness);
    await put(id, 'other');
    await harness.connection.transaction(async (query) => {
      await query("SELECT pg_advisory_xact_lock(key_lock($1, 'k'))", [id]);
      await expect(put(id, 'other')).resolves.toMatchObject({ state: 'applied' });
    });
  });

  it('wait for no lock that only others need, although they come together', async () => {
    const [free, held] = [await storedTask(harness), await storedTask(harness)];
    const settled: string[] = [];
    let waiting: Promise<unknown>[] = [];
    const noting = (name: string, outcome: Promise<unknown>) => outcome.then(() => settled.push(name));
    await harness.connection.transaction(async (query) => {
      await query("SELECT pg_advisory_xact_lock(key_lock($1, 'locked'))", [free.id]);
      await query('SELECT id FROM tasks WHERE id = $1 FOR UPDATE', [held.id]);
      const busy = Array.from({ length: 12 }, (_, i) => put(free.id, `busy-${i}`));
      waiting = [
        noting('key', put(free.id, 'locked')),
        noting('task', put(held.id, 'a')),
        noting('task', put(held.id, 'b')),
      ];
      await Promise.all([...busy, put(free.id, 'a'), put(free.id, 'b')]);
      expect(settled).toEqual([]);
    });
    await Promise.all(waiting);
    expect(settled.sort()).toEqual(['key', 'task', 'task']);
    await expectCountsToBeRight();
  });

  it('each have an outcome of their own if PostgreSQL cannot take what one of them puts', async () => {
    const { id } = await storedTask(harness);
    const busy = Array.from({ length: 12 }, (_, i) => put(id, `busy-${i}`));
    const bad = aPut({ taskId: id, key: 'bad', type: 'text', content: 'a' }, { version: nextVersion() });
    const unstorable = { ...bad, attachment: { ...bad.attachment, content: 'a\u0000' } };
    const outcome = harness.attachments.put(unstorable, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    const others = [put(id, 'a'), put(id, 'b')];
    await expect(outcome).rejects.toEqual(new StoreError('postgres', 'refused'));
    for (const one of await Promise.all([...busy, ...others])) expect(one).toMatchObject({ state: 'applied' });
    expect(await found(harness, id, 'bad')).toBeUndefined();
    await expectCountsToBeRight();
  });

  it('of one task are all served, 256 at once, in the order of their versions', async () => {
    const { id } = await storedTask(harness);
    const writer = async (i: number) => {
      for (const key of [`own-${i}`, `shared-${i % 8}`, 'hot']) {
        const { state } = await put(id, key);
        expect(['applied', 'superseded']).toContain(state);
      }
    };
    await Promise.all(Array.from({ length: 256 }, (_, i) => writer(i)));
    await expectCountsToBeRight();
    await expectOrder(id, 256 + 8 + 1);
  });

  it('of two replicas never meet a deadlock, whatever they do', async () => {
    const connection = new PostgresConnection(serverDatabase({ url: server.url, poolSize: 16 }));
    const replicas = [harness, postgresHarness(connection)];
    const random = new Random(4711);
    const tasks = await Promise.all(Array.from({ length: 4 }, () => storedTask(harness)));
    const children = await Promise.all(tasks.map(({ id }) => storedTask(harness, { parentId: id })));
    const ids = [...tasks, ...children].map(({ id }) => id);
    const keys = ['a', 'b', 'c', 'd'];
    const aWrite = () => aPut({ taskId: random.pick(ids), key: random.pick(keys) }, { version: nextVersion() });
    const weights = {
      put: 60,
      add: 30,
      conditional: 5,
      remove: 10,
      complete: 10,
      drain: 6,
      insert: 5,
      sweep: 3,
      delete: 1,
    };
    const step = (i: number): Promise<unknown> => {
      const { attachments } = replicas[i % 2] as PostgresHarness;
      const taskId = random.pick(ids);
      const key = random.pick(keys);
      const writes = {
        put: () => attachments.put(aWrite(), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS),
        add: () => put(taskId, `new-${nextVersion()}`, random.int(2) || undefined),
        sweep: () => sweep((replicas[i % 2] as PostgresHarness).connection),
        conditional: () => attachments.put(aWrite(), ORGANIZATION, { ifAbsent: true }, NOW_MS, TIMEOUT_MS),
        remove: () => remove(taskId, key),
        complete: () => complete(taskId, key),
        drain: () =>
          attachments.drain(Array.from({ length: 6 }, () => ({ organization: ORGANIZATION, put: aWrite() }))),
        insert: () => insertBelow(taskId),
        delete: async () => {
          const [doomed] = ids.splice(random.int(ids.length), 1) as [string];
          ids.push((await storedTask(harness)).id);
          return deleteTree(replicas[i % 2] as PostgresHarness, doomed, { stepSize: 3 });
        },
      };
      return writes[random.weighted(weights)]();
    };
    try {
      await Promise.all(
        Array.from({ length: 96 }, async (_, i) => {
          for (let n = 0; n < 20; n++) await step(i + n).catch(unlessBusy);
        }),
      );
      expect(codes.filter((code) => code !== LOCK_NOT_AVAILABLE)).toEqual([]);
      await expectCountsToBeRight();
    } finally {
      await connection.close();
    }
  });

  it('leave an expired attachment that another one holds, and wait for it if there is nothing else', async () => {
    const { id } = await storedTask(harness);
    for (const key of ['a', 'held', 'b']) await put(id, key, 1);
    const store = expiredOf(harness.connection);
    const expired = (await store.find(LATER_MS, 100)).filter(({ taskId }) => taskId === id);
    const held = expired.filter(({ key }) => key === 'held');
    let waiting: Promise<readonly ExpiredAttachment[]> | undefined;
    await harness.connection.transaction(async (query) => {
      await query('SELECT pg_advisory_xact_lock(key_lock($1, $2))', [id, 'held']);
      expect((await store.remove(expired)).map(({ key }) => key).sort()).toEqual(['a', 'b']);
      waiting = store.remove(expired);
      await until('it waits', async () => {
        const waiters = 'SELECT FROM pg_stat_activity WHERE wait_event_type = $1 AND query LIKE $2';
        return (await harness.connection.query(waiters, ['Lock', '%expire_attachment%'])).length > 0;
      });
    });
    expect(await waiting).toEqual(held);
    await expectCountsToBeRight();
  });

  it('leave an expired attachment that cannot be removed, and remove those beside it', async () => {
    const { id } = await storedTask(harness);
    for (const key of ['a', 'bad', 'b']) await put(id, key, 1);
    const store = expiredOf(harness.connection);
    const expired = async () => (await store.find(LATER_MS, 100)).filter(({ taskId }) => taskId === id);
    await harness.connection.query(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
    );
    await harness.connection.query(
      "CREATE TRIGGER refused BEFORE UPDATE ON task_attachments FOR EACH ROW WHEN (OLD.key = 'bad') EXECUTE FUNCTION refuse()",
    );
    await expect(store.remove(await expired())).rejects.toMatchObject({ outcome: 'failed' });
    expect((await expired()).map(({ key }) => key)).toEqual(['bad']);
    await harness.connection.query('DROP FUNCTION refuse CASCADE');
    expect(await store.remove(await expired())).toHaveLength(1);
  });

  /** A function that resolves, for all its callers, when it has been called `times` times. */
  function gate(times: number): () => Promise<void> {
    let open: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let calls = 0;
    return () => {
      if (++calls >= times) open();
      return opened;
    };
  }

  it('that wait for each other in a circle both take effect, once', async () => {
    await harness.connection.query('CREATE TABLE crossed AS SELECT id, 0 AS count FROM generate_series(1, 2) AS id');
    const bothHold = gate(2);
    const count = (ids: readonly number[]) =>
      harness.connection.transaction(async (query) => {
        await query('SET LOCAL deadlock_timeout = 50');
        for (const id of ids) {
          await query('UPDATE crossed SET count = count + 1 WHERE id = $1', [id]);
          await bothHold();
        }
      });
    await Promise.all([count([1, 2]), count([2, 1])]);
    expect(codes.splice(0)).toEqual([DEADLOCK]);
    const rows = await harness.connection.query('SELECT * FROM crossed ORDER BY id');
    expect(rows).toEqual([1, 2].map((id) => ({ id, count: 2 })));
  });

  it('that share the number of a lock by chance, and wait in a circle for it, take effect', async () => {
    const meet = async () => {
      const { id: taskId } = await storedTask(harness);
      let written: Promise<unknown> | undefined;
      await harness.connection.transaction(async (query) => {
        await query("SELECT pg_advisory_xact_lock(key_lock($1, 'k'))", [taskId]);
        const waiters = () => harness.connection.query('SELECT FROM pg_locks WHERE NOT granted');
        // PostgreSQL may choose this transaction, which is begun anew: the put needs not wait for it again.
        if (!written) {
          written = put(taskId, 'k').catch(unlessBusy);
          await until('the put waits', async () => (await waiters()).length > 0);
        }
        await query('SELECT pg_advisory_xact_lock(task_lock($1))', [taskId]);
      });
      return written;
    };
    // On a busy machine the put may have waited for too long before the circle is closed: then there was none.
    const met = await until('they wait in a circle', async () => {
      const written = await meet();
      const seen = codes.splice(0);
      return seen.includes(DEADLOCK) && { written, seen };
    });
    expect(met).toMatchObject({ written: { state: 'applied' }, seen: [DEADLOCK] });
    await expectCountsToBeRight();
  });

  it('give up waiting for a lock in time', async () => {
    const impatient = await databaseHarness(serverDatabase({ url: server.url, poolSize: 2 }));
    try {
      const { id } = await storedTask(harness);
      await harness.connection.transaction(async (query) => {
        await query('SELECT id FROM tasks WHERE id = $1 FOR UPDATE', [id]);
        const outcome = impatient.attachments.put(aPut({ taskId: id }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        await expect(outcome).rejects.toEqual(new StoreError('postgres', 'busy'));
      });
    } finally {
      await impatient.close();
    }
  });

  it.each([
    ['has met no outage if the server has served others meanwhile', true, 'busy'],
    ['may have met a silent server if it has served nobody', false, 'timeout'],
  ] as const)('a call that has less time left than a lock may take %s', async (_, servesOthers, outcome) => {
    const impatient = await databaseHarness(serverDatabase({ url: server.url, poolSize: 2 }));
    try {
      const { id } = await storedTask(harness);
      await harness.connection.transaction(async (query) => {
        await query('SELECT id FROM tasks WHERE id = $1 FOR UPDATE', [id]);
        let isOver = false;
        const put = impatient.attachments
          .put(aPut({ taskId: id }), ORGANIZATION, undefined, NOW_MS, 300)
          .finally(() => (isOver = true));
        const refused = expect(put).rejects.toEqual(new StoreError('postgres', outcome));
        while (servesOthers && !isOver) await impatient.connection.query('SELECT pg_sleep(0.01)');
        await refused;
      });
    } finally {
      await impatient.close();
    }
  });
});
