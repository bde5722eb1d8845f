import { Client } from 'pg';
import { EventReader } from '../support/event-reader';
import { keyOf, writeOrganizationKeys } from '../support/organization-keys';
import { until } from '../support/poll';
import { openConnection, rawRequest } from '../support/raw-http';
import { openOnServers, type Setup } from '../support/setups';

const GREEDY = keyOf('greedy');
const MODEST = keyOf('modest');
const OTHERS = ['third', 'fourth', 'fifth'].map(keyOf);
/** Of a hundred that can follow events at the same time. */
const PLACES_OF_ONE = 75;
/** Of four organisations, one after the other: together they have all places. */
const SHARES = [PLACES_OF_ONE, 19, 5, 1];

describe('what one organisation cannot take from another', () => {
  const keys = writeOrganizationKeys('greedy', 'modest', 'third', 'fourth', 'fifth');
  let setup: Setup;

  beforeAll(async () => {
    setup = await openOnServers({ API_KEYS_FILE: keys.path });
    await setup.service.result('task.create', { id: 'hot', text: 'x' }, GREEDY);
    await setup.service.result('task.create', { id: 'own', text: 'x' }, MODEST);
  });
  afterAll(async () => {
    await setup?.close();
    keys.remove();
  });

  const put = (headers: typeof GREEDY, taskId: string) =>
    setup.service.rpc('task.create_attachment', { taskId, key: 'k', type: 'text', content: 'x' }, headers);

  const follow = (headers: typeof GREEDY) => EventReader.open(setup.service.url, { headers });
  /** One after the other, each as soon as the database has time for it. */
  const followTimes = async (count: number, headers: typeof GREEDY, readers: EventReader[]) => {
    for (let nth = 0; nth < count; nth++) {
      readers.push(await until(`reader ${nth + 1} follows`, () => follow(headers).catch(() => undefined)));
    }
  };

  it('the places of those that follow events', async () => {
    const readers: EventReader[] = [];
    try {
      await followTimes(PLACES_OF_ONE, GREEDY, readers);
      await expect(follow(GREEDY)).rejects.toThrow('503');
      await followTimes(1, MODEST, readers);
      await put(MODEST, 'own');
      expect(await readers.at(-1)?.events(1)).toMatchObject([{ data: { payload: { taskId: 'own' } } }]);

      readers.shift()?.close();
      await followTimes(1, GREEDY, readers);
    } finally {
      for (const reader of readers) reader.close();
    }
  });

  it('the places of those that follow events, also when several organisations have taken all of them', async () => {
    const readers: EventReader[] = [];
    try {
      for (const [nth, headers] of [GREEDY, ...OTHERS].entries()) {
        await followTimes(SHARES[nth] as number, headers, readers);
      }
      await followTimes(1, MODEST, readers);
      await put(MODEST, 'own');
      expect(await readers.at(-1)?.events(1)).toMatchObject([{ data: { payload: { taskId: 'own' } } }]);
      await readers[PLACES_OF_ONE - 1]?.ended;
    } finally {
      for (const reader of readers) reader.close();
    }
  });

  it('the database: a hundred writes at once that wait for one of its own tasks open no breaker', async () => {
    const lock = new Client({ connectionString: setup.servers?.databaseUrl });
    await lock.connect();
    try {
      await lock.query('BEGIN');
      await lock.query("SELECT pg_advisory_xact_lock(task_lock('hot'))");
      const waiting = Promise.all(Array.from({ length: 100 }, () => put(GREEDY, 'hot')));
      let isOver = false;
      void waiting.finally(() => (isOver = true));
      const replies = [];
      while (!isOver)
        replies.push(await put(MODEST, 'own'), await setup.service.rpc('task.get', { id: 'own' }, MODEST));
      expect(replies.filter(({ result }) => result === undefined || result['degraded'] === true)).toEqual([]);
      const codes = (await waiting).map(({ error }) => error?.data?.['code']);
      expect(new Set(codes)).toEqual(new Set(['TIMEOUT']));
    } finally {
      await lock.query('ROLLBACK');
      await lock.end();
    }
    expect((await setup.service.fetch('/metrics')).text).not.toMatch(/^dossier_breaker_open.* 1$/m);
    for (const [headers, taskId] of [
      [GREEDY, 'hot'],
      [MODEST, 'own'],
    ] as const) {
      const { result } = await put(headers, taskId);
      expect([result?.['key'], result?.['degraded']]).toEqual(['k', undefined]);
    }
  });

  it('the time after it has hung up: the calls of its batch that have not begun are dropped', async () => {
    const lock = new Client({ connectionString: setup.servers?.databaseUrl });
    await lock.connect();
    try {
      await lock.query('BEGIN');
      await lock.query("SELECT pg_advisory_xact_lock(task_lock('hot'))");
      const params = { text: 'x', parentId: 'hot' };
      const batch = Array.from({ length: 100 }, (_, id) => ({ jsonrpc: '2.0', method: 'task.create', params, id }));
      const socket = await openConnection(setup.service.url);
      socket.write(rawRequest(JSON.stringify(batch), GREEDY));
      await until('the first calls wait for the lock', async () => {
        const { rows } = await lock.query("SELECT FROM pg_stat_activity WHERE wait_event = 'advisory'");
        return rows.length > 1;
      });
      socket.destroy();
      // The service learns of the end of the connection before it answers to this one.
      await setup.service.fetch('/livez');
      await lock.query('ROLLBACK');
      // It ends when nothing is in flight any more.
      await setup.service.stop();
      const { rows } = await lock.query<{ count: number }>(
        "SELECT count(*)::integer AS count FROM tasks WHERE parent_id = 'hot'",
      );
      expect(rows[0]?.count).toBeGreaterThan(1);
      expect(rows[0]?.count).toBeLessThanOrEqual(8);
    } finally {
      await lock.end();
    }
  });
});
