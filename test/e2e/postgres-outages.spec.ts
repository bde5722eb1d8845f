import { nextMillisecond, until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { launchService, startService, type Environment, type Service } from '../support/service';
import { openOnServers, untilCached, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

const UNAVAILABLE = { code: -32001, message: 'Service unavailable' };
const DEGRADED_PAGE = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

type Written = WireAttachment & { readonly replaced: boolean; readonly degraded?: true };

const put = (service: Service, taskId: string, key: string, value: unknown) =>
  service.result<Written>('task.create_attachment', { taskId, key, type: 'json', value });
const get = (service: Service, taskId: string, key: string) =>
  service.result<Written>('task.get_attachment', { taskId, key });
const list = (service: Service, params: object) => service.result<WireAttachmentPage>('task.list_attachments', params);
const remove = (service: Service, taskId: string, key: string) =>
  service.result('task.delete_attachment', { taskId, key });

const sampleOf = async (service: Service, metric: string) => {
  const { text } = await service.fetch('/metrics');
  return text
    .split('\n')
    .find((line) => line.startsWith(`${metric} `))
    ?.split(' ')
    .at(-1);
};
const isOpen = async (service: Service, operation: string) =>
  (await sampleOf(service, `dossier_breaker_open{dependency="postgres",operation="${operation}"}`)) === '1';

describe('a service whose PostgreSQL comes and goes', () => {
  let setup: Setup;
  let service: Service;
  let servers: Servers;
  /** What was acknowledged while PostgreSQL was unavailable, by key; null for a deletion. */
  const journaled = new Map<string, Written | null>();

  beforeAll(async () => {
    setup = await openOnServers();
    servers = setup.servers as Servers;
    ({ service } = setup);
    for (const taskId of ['known', 'unknown', 'written']) {
      await service.result('task.create', { id: taskId, text: 'x' });
      await put(service, taskId, 'a', 1);
      await put(service, taskId, 'b', 2);
      await untilCached(service, servers.redis.url, taskId);
    }
  });
  afterAll(async () => {
    await service?.kill();
    await setup?.close();
  });

  const forgetTask = (taskId: string) =>
    withRedis(servers.redis.url, (redis) => redis.del(`cb:task:${taskId}:control`, `cb:task:${taskId}:attachments`));

  it('returns what Redis knows while PostgreSQL is down, and invents nothing', async () => {
    const requests = [
      { taskId: 'known', key: 'b' },
      { taskId: 'known', key: 'a' },
    ];
    const ask = async () => ({
      list: await list(service, { taskId: 'known' }),
      page: await list(service, { taskId: 'known', limit: 1, order: 'desc' }),
      gets: await Promise.all(requests.map(({ taskId, key }) => get(service, taskId, key))),
      batch: await service.result('task.get_attachments_batch', { requests }),
    });
    const before = await ask();
    await forgetTask('unknown');
    await servers.postgres.kill();

    expect(await ask()).toEqual(before);
    for (const ref of [
      { taskId: 'known', key: 'c' },
      { taskId: 'unknown', key: 'a' },
      { taskId: 'no-task', key: 'a' },
    ]) {
      expect(await service.error('task.get_attachment', ref)).toMatchObject({
        ...UNAVAILABLE,
        data: { code: 'STORE_UNAVAILABLE', retryable: true },
      });
    }
    for (const filter of [{}, { type: 'json' }]) {
      expect(await list(service, { taskId: 'unknown', ...filter })).toEqual(DEGRADED_PAGE);
    }
    expect(await list(service, { taskId: 'known', type: 'json' })).toEqual({ ...before.list, degraded: true });
    const [, b] = before.list.attachments;
    const onlyB = { attachments: [b], totalCount: 1, hasMore: false, degraded: true };
    expect(await list(service, { taskId: 'known', keyPrefix: 'b' })).toEqual(onlyB);
    const { status, text } = await until('it is missed', async () => {
      const reply = await service.fetch('/readyz');
      return /"postgres":{[^}]*"state":"down"/.test(reply.text) && reply;
    });
    expect([status, JSON.parse(text)]).toMatchObject([200, { details: { redis: { state: 'up' } } }]);
    expect((await service.fetch('/livez')).status).toBe(200);
  });

  it('still creates, overwrites and deletes attachments, and marks the results as degraded', async () => {
    const before = await get(service, 'written', 'a');
    const overwritten = await put(service, 'written', 'a', 'overwritten');
    expect(overwritten).toMatchObject({ id: before.id, replaced: true, degraded: true });
    expect(overwritten.version).toBeGreaterThan(before.version);
    await nextMillisecond();
    const created = await put(service, 'written', 'c', 'created');
    expect(created).toMatchObject({ replaced: false, degraded: true });
    const { id } = await get(service, 'written', 'b');
    expect(await remove(service, 'written', 'b')).toMatchObject({ id, deleted: true, degraded: true });
    await put(service, 'written', 'd', 1);
    await remove(service, 'written', 'd');

    expect(await get(service, 'written', 'a')).toMatchObject({ value: 'overwritten', version: overwritten.version });
    expect(await get(service, 'written', 'c')).toMatchObject({ value: 'created', version: created.version });
    for (const key of ['b', 'd']) {
      const ref = { taskId: 'written', key };
      expect((await service.error('task.get_attachment', ref)).message).toMatch(/not found/);
      expect((await service.error('task.delete_attachment', ref)).message).toMatch(/not found/);
    }
    const { attachments, totalCount } = await list(service, { taskId: 'written' });
    expect([attachments.map(({ key }) => key), totalCount]).toEqual([['a', 'c'], 2]);
    journaled.set('a', overwritten).set('b', null).set('c', created).set('d', null);
    await until(
      'the metrics tell what waits',
      async () => (await sampleOf(service, 'dossier_journal_waiting')) === '5',
    );
  });

  it('refuses calls that only PostgreSQL can judge', async () => {
    const attachment = { taskId: 'written', type: 'json', value: 'never' };
    for (const [method, params] of [
      ['task.create_attachment', { ...attachment, key: 'e', ifAbsent: true }],
      ['task.create_attachment', { ...attachment, key: 'a', ifVersion: journaled.get('a')?.version }],
      ['task.create_attachment', { ...attachment, key: 'a', taskId: 'unknown' }],
      ['task.create_attachment', { ...attachment, key: 'a', taskId: 'no-task' }],
      ['task.delete_attachment', { taskId: 'unknown', key: 'a' }],
      ['task.delete_attachment', { taskId: 'written', key: 'e' }],
      ['task.create', { text: 'x' }],
      ['task.get', { id: 'written' }],
      ['task.update', { id: 'written', updates: { text: 'y' } }],
      ['task.complete', { id: 'written', result: 1 }],
      ['task.cancel', { id: 'written' }],
      ['task.list', {}],
      ['task.delete', { id: 'written' }],
    ] as const) {
      expect([method, await service.error(method, params)]).toMatchObject([method, UNAVAILABLE]);
    }
    expect((await service.fetch('/v1/tasks/written', { method: 'DELETE' })).status).toBe(503);
    expect(await get(service, 'written', 'a')).toMatchObject({ value: 'overwritten' });
  });

  it('marks as degraded what a new process reads from Redis, because PostgreSQL may hold something newer', async () => {
    await service.stop();
    service = await startService(setup.environment);
    expect(await get(service, 'known', 'a')).toMatchObject({ value: 1, degraded: true });
    expect(await get(service, 'written', 'a')).toMatchObject({ value: 'overwritten', degraded: true });
    const requests = ['a', 'c'].map((key) => ({ taskId: 'written', key }));
    const batch = await service.result('task.get_attachments_batch', { requests });
    expect(batch).toMatchObject({ attachments: [{ key: 'a' }, { value: 'created' }], degraded: true });
    expect(await list(service, { taskId: 'known' })).toMatchObject({ totalCount: 2, degraded: true });
    expect(await service.error('task.get_attachment', { taskId: 'unknown', key: 'a' })).toMatchObject(UNAVAILABLE);
  });

  it('is not ready while Redis is down too, and every reply is an error or degraded', async () => {
    await servers.redis.kill();
    await service.until('/readyz', 503);
    expect((await service.fetch('/livez')).status).toBe(200);
    expect(await service.error('task.get_attachment', { taskId: 'known', key: 'a' })).toMatchObject(UNAVAILABLE);
    expect(await list(service, { taskId: 'known' })).toEqual(DEGRADED_PAGE);
    const write = { taskId: 'known', key: 'a', type: 'json', value: 'lost' };
    expect(await service.error('task.create_attachment', write)).toMatchObject(UNAVAILABLE);
    expect(await service.error('task.delete_attachment', { taskId: 'known', key: 'a' })).toMatchObject(UNAVAILABLE);
  });

  it('has every acknowledged write in both stores after the outage, and has announced each once', async () => {
    await Promise.all([servers.postgres.restart(), servers.redis.restart()]);
    await service.until('/readyz', 200);
    await withRedis(servers.redis.url, (redis) =>
      until('the journal is drained', async () => (await redis.llen('cb:journal')) === 0),
    );
    await withPostgres(servers.databaseUrl, async (client) => {
      const { rows } = await client.query<{ key: string; version: string }>(
        `SELECT key, CASE WHEN deleted THEN 'deleted' ELSE version::text END AS version
         FROM task_attachments WHERE task_id = 'written'`,
      );
      const acknowledged = [...journaled].map(([key, written]) => [key, written?.version.toString() ?? 'deleted']);
      expect(Object.fromEntries(rows.map(({ key, version }) => [key, version]))).toEqual(
        Object.fromEntries(acknowledged),
      );
      const announced = await client.query<{ key: string; type: string }>(
        `SELECT key, event ->> 'type' AS type FROM outbox WHERE task_id = 'written' AND key IN ('c', 'd') ORDER BY key, seq`,
      );
      expect(announced.rows.map(({ key, type }) => `${key} ${type}`)).toEqual([
        'c task.attachment_created',
        'd task.attachment_created',
        'd task.attachment.deleted',
      ]);
    });
    const inCache = await until('nothing is degraded', async () => {
      const page = await list(service, { taskId: 'written' });
      return page.degraded ? undefined : page;
    });
    expect(inCache.attachments).toMatchObject([
      { key: 'a', id: journaled.get('a')?.id, value: 'overwritten' },
      { key: 'c', id: journaled.get('c')?.id, value: 'created' },
    ]);
    await forgetTask('written');
    expect(await list(service, { taskId: 'written' })).toEqual(inCache);
    expect(await get(service, 'known', 'a')).toMatchObject({ value: 1 });
    expect(await put(service, 'written', 'a', 'as ever')).not.toHaveProperty('degraded');
    expect(await get(service, 'written', 'a')).toMatchObject({ value: 'as ever' });
    // From here on a failure counts as another outage.
    const news = /"ask postgres".*"works again"/;
    await until('the watch has heard from it', () => service.logLines.some((line) => news.test(line)));
  });

  it('reports a time-out if PostgreSQL is too slow, and refuses further calls at once after five of them', async () => {
    await forgetTask('known');
    await withPostgres(servers.databaseUrl, async (client) => {
      await client.query('ALTER TABLE task_attachments RENAME TO stored');
      await client.query('CREATE VIEW task_attachments AS SELECT stored.* FROM stored, pg_sleep(60)');
      await client.query('GRANT SELECT ON task_attachments TO dossier_app');
      const request = { jsonrpc: '2.0', method: 'task.get_attachment', params: { taskId: 'known', key: 'a' } };
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => service.post(JSON.stringify({ ...request, id: 'req-013' }))),
      );
      for (const { text } of answers) {
        expect(JSON.parse(text)).toEqual({
          jsonrpc: '2.0',
          error: {
            code: -32500,
            message: 'Failed to retrieve attachment',
            data: { taskId: 'known', reason: 'Database timeout', code: 'TIMEOUT' },
          },
          id: 'req-013',
        });
      }
      expect(await service.error('task.get_attachment', { taskId: 'known', key: 'a' })).toMatchObject(UNAVAILABLE);
      expect([await isOpen(service, 'task.get_attachment'), await isOpen(service, 'task.get')]).toEqual([true, false]);
      await client.query('DROP VIEW task_attachments');
      await client.query('ALTER TABLE stored RENAME TO task_attachments');
    });
    expect(await service.result('task.get', { id: 'known' })).toMatchObject({ attachmentCount: 2 });
  });

  it('asks PostgreSQL again as soon as an outage has ended', async () => {
    expect(await isOpen(service, 'task.get_attachment')).toBe(true);
    await servers.postgres.kill();
    await until('it is missed', async () => {
      const { error } = await service.rpc('task.get', { id: 'known' });
      return error?.code === UNAVAILABLE.code && (await isOpen(service, 'task.get'));
    });
    await servers.postgres.restart();
    await until('it is asked again', async () => !(await isOpen(service, 'task.get_attachment')));
    expect(await get(service, 'known', 'a')).toMatchObject({ value: 1 });
    await until(
      'no breaker is open',
      async () => !(await service.fetch('/metrics')).text.match(/^dossier_breaker_open.* 1$/m),
    );
  });

  it('stays ready while PostgreSQL answers and refuses writes, and says that it does', async () => {
    const health = async () => {
      const { status, text } = await service.fetch('/readyz');
      return [status, (JSON.parse(text) as { details: { postgres: object } }).details.postgres];
    };
    const privilege = (sentence: string) =>
      withPostgres(servers.databaseUrl, (client) => client.query(`${sentence} dossier_app`));
    const fit = 'dossier_dependency_fit{dependency="postgres"}';
    expect([await health(), await sampleOf(service, fit)]).toEqual([[200, { status: 'up', state: 'up' }], '1']);
    await privilege('REVOKE INSERT, UPDATE ON task_attachments FROM');
    expect(await put(service, 'written', 'a', 'refused')).toMatchObject({ degraded: true });
    const what = 'permission denied for table task_attachments';
    const remedy = 'so run deploy/grants.sql again as the role that owns its tables, and the database, too';
    const reason = `the role lacks a privilege, ${remedy}: ${what}.`;
    await until('it is known', async () => (await sampleOf(service, fit)) === '0');
    expect(await health()).toEqual([200, { status: 'degraded', state: 'up', reason }]);
    expect(await sampleOf(service, 'dossier_dependency_up{dependency="postgres"}')).toBe('1');
    const lines = () => service.logLines.filter((line) => line.includes(what));
    await until('the log says it', () => lines().length > 0);

    await privilege('GRANT INSERT, UPDATE ON task_attachments TO');
    await until('the write is drained', async () => (await sampleOf(service, 'dossier_journal_waiting')) === '0');
    expect(await put(service, 'written', 'a', 'as ever')).not.toHaveProperty('degraded');
    await until('it is known', async () => (await sampleOf(service, fit)) === '1');
    expect(lines()).toHaveLength(1);
  });

  it('serves other tasks while one task stays locked', async () => {
    await withPostgres(servers.databaseUrl, async (client) => {
      await client.query(`SELECT pg_advisory_lock(task_lock('known'))`);
      const write = { taskId: 'known', key: 'held', type: 'json', value: 1 };
      const held = Array.from({ length: 6 }, () => service.error('task.create_attachment', write));
      held.push(service.error('task.delete_attachment', { taskId: 'known', key: 'a' }));
      for (const error of await Promise.all(held)) {
        expect(error).toMatchObject({ code: -32500, data: { code: 'TIMEOUT', taskId: 'known' } });
      }
      expect(await put(service, 'written', 'a', 'meanwhile')).not.toHaveProperty('degraded');
      expect(await isOpen(service, 'task.create_attachment')).toBe(false);
    });
    expect((await service.error('task.get_attachment', { taskId: 'known', key: 'held' })).message).toMatch(/not found/);
  });

  it('finishes a call that waits for PostgreSQL before it stops', async () => {
    await withPostgres(servers.databaseUrl, async (client) => {
      await client.query('BEGIN');
      await client.query(`SELECT FROM tasks WHERE id = 'known' FOR UPDATE`);
      const answer = service.rpc('task.create_attachment', { taskId: 'known', key: 'slow', type: 'json', value: 1 });
      await until('the call waits for the lock', async () => {
        const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'dossier'`;
        const { rowCount } = await client.query(waiting);
        return rowCount === 1;
      });
      service.signal('SIGTERM');
      await until('it has begun to stop', () => service.hasBegunToStop);
      // A probe must get a reply that says unready, not a refused connection.
      expect((await service.fetch('/readyz')).status).toBe(503);
      await client.query('ROLLBACK');
      expect((await answer).result).toMatchObject({ key: 'slow', replaced: false });
    });
    expect((await service.exit).code).toBe(0);
  });

  it('listens while both stores are down at the start, and becomes ready when PostgreSQL is back', async () => {
    await servers.postgres.kill();
    await servers.redis.kill();
    service = await launchService(setup.environment);
    expect((await service.fetch('/readyz')).status).toBe(503);
    expect((await service.fetch('/livez')).status).toBe(200);
    expect(await service.error('task.get', { id: 'known' })).toMatchObject(UNAVAILABLE);
    await servers.postgres.restart();
    await service.until('/readyz', 200);
    expect(await service.result('task.get', { id: 'known' })).toMatchObject({ id: 'known', attachmentCount: 3 });
    expect(await put(service, 'known', 'a', 'without Redis')).not.toHaveProperty('degraded');
    expect(await get(service, 'known', 'a')).toMatchObject({ value: 'without Redis' });
  });
});

describe('a service with an in-process cache whose PostgreSQL goes down', () => {
  let postgres: PostgresServer;
  let environment: Environment;
  let service: Service;

  beforeAll(async () => {
    postgres = await startPostgres();
    environment = { DATABASE_URL: (await createRuntimeDatabase(postgres)).url };
    service = await startService(environment);
    await service.result('task.create', { id: 't', text: 'x' });
    await put(service, 't', 'a', 1);
    // What is read during the projection of a change is not cached.
    await until('the list comes from the cache', async () => {
      const before = await cacheHits();
      await list(service, { taskId: 't' });
      return (await cacheHits()) > before;
    });
  });
  afterAll(async () => {
    await service?.kill();
    await postgres?.stop();
  });

  const cacheHits = async () => Number(await sampleOf(service, 'dossier_cache_hits_total'));

  it('refuses writes, which no store would keep, and returns what the cache knows', async () => {
    await postgres.kill();
    const write = { taskId: 't', key: 'a', type: 'json', value: 2 };
    expect(await service.error('task.create_attachment', write)).toMatchObject(UNAVAILABLE);
    expect(await service.error('task.delete_attachment', { taskId: 't', key: 'a' })).toMatchObject(UNAVAILABLE);
    expect(await get(service, 't', 'a')).toMatchObject({ value: 1 });
    expect(await list(service, { taskId: 't' })).toMatchObject({ totalCount: 1 });
    await service.until('/readyz', 503);
  });

  it('listens without PostgreSQL, and completes its start when the database is available', async () => {
    await service.kill();
    service = await launchService(environment);
    await until('it has missed it', () => service.logLines.find((line) => line.includes('cannot migrate yet')));
    expect((await service.fetch('/startupz')).status).toBe(503);
    expect((await service.fetch('/readyz')).status).toBe(503);
    expect((await service.fetch('/livez')).status).toBe(200);
    await postgres.restart();
    await service.until('/startupz', 200);
    await service.until('/readyz', 200);
    expect(await get(service, 't', 'a')).toMatchObject({ value: 1 });
  });
});
