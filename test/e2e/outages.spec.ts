import { nextMillisecond, until } from '../support/poll';
import { startRedis, type RedisServer } from '../support/redis-server';
import { startService, type Service } from '../support/service';
import { openOnServers, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

/** The service promises to answer every call within this time. */
const OPERATION_TIMEOUT_MS = 5000;

const put = (service: Service, taskId: string, key: string, value: unknown) =>
  service.result<WireAttachment>('task.create_attachment', { taskId, key, type: 'json', value });
const valueOf = async (service: Service, taskId: string, key: string) =>
  (await service.result<WireAttachment>('task.get_attachment', { taskId, key })).value;

describe('a service whose Redis comes and goes', () => {
  let setup: Setup;
  let servers: Servers;

  beforeAll(async () => {
    setup = await openOnServers();
    servers = setup.servers as Servers;
    await setup.service.result('task.create', { id: 't', text: 'x' });
  });
  afterAll(() => setup?.close());

  const states = async () => {
    const { status, text } = await setup.service.fetch('/readyz');
    const { details } = JSON.parse(text) as { details: Record<string, { state: string }> };
    return [status, details['postgres']?.state, details['redis']?.state];
  };
  const stateOfRedis = (state: string) => until(`Redis is ${state}`, async () => (await states())[2] === state);
  const valueInRedis = (key: string) =>
    withRedis(servers.redis.url, (redis) => redis.hget(`cb:task:t:attachment:${key}`, 'value'));
  const isOpen = async (operation: string) => {
    const { text } = await setup.service.fetch('/metrics');
    return text.includes(`\ndossier_breaker_open{dependency="redis",operation="${operation}"} 1\n`);
  };

  /** Makes calls of every kind. All of them must succeed without Redis. */
  const useAll = async (key: string) => {
    const { service } = setup;
    const { version } = await put(service, 't', key, 1);
    await put(service, 't', key, 2);
    expect(await valueOf(service, 't', key)).toBe(2);
    const page = await service.result<WireAttachmentPage>('task.list_attachments', { taskId: 't' });
    expect(page.attachments.map((attachment) => attachment.key)).toContain(key);
    expect(page).not.toHaveProperty('degraded');
    const condition = { taskId: 't', key, type: 'json', value: 3, ifVersion: version };
    expect((await service.error('task.create_attachment', condition)).code).toBe(-32005);
    await service.result('task.delete_attachment', { taskId: 't', key });
    expect((await service.error('task.get_attachment', { taskId: 't', key })).code).toBe(-32602);
    await service.result('task.create', { id: key, text: 'x', parentId: 't' });
    await service.result('task.delete', { id: key });
    expect((await service.error('task.get', { id: key })).code).toBe(-32602);
  };

  it('has a Redis breaker for every method that uses Redis, and a PostgreSQL breaker for every method', async () => {
    const { text } = await setup.service.fetch('/metrics');
    const samples = text.matchAll(/^dossier_breaker_open\{dependency="(.*)",operation="(.*)"\} 0$/gm);
    const shown: Record<string, string[]> = { postgres: [], redis: [] };
    for (const [, dependency, operation] of samples) shown[dependency as string]?.push(operation as string);
    const cached = [
      'task.create_attachment',
      'task.get_attachment',
      'task.list_attachments',
      'task.get_attachments_batch',
      'task.delete_attachment',
      'task.create',
      'task.complete',
      'task.delete',
    ];
    expect(shown['redis']?.sort()).toEqual(cached.sort());
    expect(shown['postgres']?.sort()).toEqual(
      [...cached, 'task.get', 'task.update', 'task.cancel', 'task.list', 'task.usage'].sort(),
    );
  });

  it('continues reads and writes while Redis is down', async () => {
    await put(setup.service, 't', 'overwritten', 'before');
    await put(setup.service, 't', 'deleted', 'before');
    await setup.service.result('task.list_attachments', { taskId: 't' });
    expect(await states()).toEqual([200, 'up', 'up']);
    await servers.redis.kill();
    await stateOfRedis('down');
    expect(await states()).toEqual([200, 'up', 'down']);
    await useAll('during-outage');
    await put(setup.service, 't', 'overwritten', 'after');
    await setup.service.result('task.delete_attachment', { taskId: 't', key: 'deleted' });
  });

  it('uses Redis again when it is back, and returns nothing stale', async () => {
    await servers.redis.restart();
    await stateOfRedis('up');
    expect(await valueOf(setup.service, 't', 'overwritten')).toBe('after');
    expect((await setup.service.error('task.get_attachment', { taskId: 't', key: 'deleted' })).code).toBe(-32602);
    await until('it is in Redis', async () => {
      expect(await valueOf(setup.service, 't', 'overwritten')).toBe('after');
      return (await valueInRedis('overwritten')) === '"after"';
    });
    await useAll('after-outage');
  });

  it('starts without Redis, serves from PostgreSQL, and uses Redis when it becomes available', async () => {
    await setup.service.stop();
    await servers.redis.kill();
    await setup.startAgain();
    // Until its first reply to the watch, PostgreSQL counts as down.
    await setup.service.until('/readyz', 200);
    expect(await states()).toEqual([200, 'up', 'down']);
    await useAll('without-redis');
    await put(setup.service, 't', 'late', 1);
    await servers.redis.restart();
    await stateOfRedis('up');
    expect(await valueOf(setup.service, 't', 'late')).toBe(1);
    await until('it is in Redis', async () => {
      expect(await valueOf(setup.service, 't', 'late')).toBe(1);
      return (await valueInRedis('late')) === '1';
    });
  });

  it('replies in time while Redis is silent, and soon no longer asks it', async () => {
    await put(setup.service, 't', 'silent', 1);
    expect(await valueOf(setup.service, 't', 'silent')).toBe(1);
    servers.redis.pause();
    try {
      const askedAtMs = performance.now();
      const [value, page, written] = await Promise.all([
        valueOf(setup.service, 't', 'silent'),
        setup.service.result('task.list_attachments', { taskId: 't', keyPrefix: 'silent' }),
        put(setup.service, 't', 'written', 1),
      ]);
      const tookMs = performance.now() - askedAtMs;
      expect([value, page, written]).toMatchObject([1, { totalCount: 1 }, { key: 'written' }]);
      expect(tookMs).toBeLessThan(OPERATION_TIMEOUT_MS);
      await Promise.all(Array.from({ length: 5 }, () => valueOf(setup.service, 't', 'silent')));
      expect([await isOpen('task.get_attachment'), await isOpen('task.list_attachments')]).toEqual([true, false]);
      expect(await valueOf(setup.service, 't', 'written')).toBe(1);
    } finally {
      servers.redis.resume();
    }
    await until('it is asked again', async () => !(await isOpen('task.get_attachment')));
    expect(await valueOf(setup.service, 't', 'silent')).toBe(1);
  });
});

describe('a Redis that may lose journaled writes', () => {
  let setup: Setup;
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ appendOnly: false });
    setup = await openOnServers({ REDIS_URL: redis.url });
  });
  afterAll(async () => {
    await setup?.close();
    await redis?.stop();
  });

  it('is reported in the log at the start, and in the readiness details', async () => {
    const { service } = setup;
    const reason = expect.stringContaining('appendonly') as unknown;
    const { status, text } = await until('it has been asked', async () => {
      const reply = await service.fetch('/readyz');
      return reply.text.includes('appendonly') && reply;
    });
    expect([status, JSON.parse(text)]).toMatchObject([
      200,
      { details: { redis: { status: 'degraded', state: 'up', reason } } },
    ]);
    const warning = await until('it is in the log', () => service.logLines.find((line) => line.includes('appendonly')));
    expect(JSON.parse(warning)).toMatchObject({ level: 40, context: 'redis' });
  });
});

describe('two replicas', () => {
  let setup: Setup;
  let other: Service | undefined;
  beforeAll(async () => (setup = await openOnServers()));
  afterAll(async () => {
    await other?.kill();
    await setup?.close();
  });

  it('that start at the same time on an empty database agree on its schema, and on everything after', async () => {
    await setup.service.kill();
    await withPostgres(setup.servers?.databaseUrl as string, async (client) => {
      // Here both replicas may migrate.
      await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO dossier_app');
    });
    // An empty database is another one: it must not be used beside the Redis of the first.
    await withRedis(setup.servers?.redis.url as string, (redis) => redis.flushall());
    [other] = await Promise.all([
      startService({ ...setup.environment, INSTANCE_ID: 'instance-2' }),
      setup.startAgain(),
    ]);
    const one = setup.service;
    await one.result('task.create', { id: 't', text: 'x' });
    const keys: string[] = [];
    for (let i = 0; i < 10; i++) {
      const [writer, reader] = i % 2 === 0 ? [one, other] : [other, one];
      await nextMillisecond();
      await put(writer, 't', 'k', i);
      await nextMillisecond();
      await put(writer, 't', `k${i}`, i);
      expect(await valueOf(reader, 't', 'k')).toBe(i);
      const { attachments } = await reader.result<WireAttachmentPage>('task.list_attachments', { taskId: 't' });
      expect(attachments.map(({ key }) => key)).toEqual([...keys, 'k', `k${i}`]);
      keys.push(`k${i}`);
      await writer.result('task.delete_attachment', { taskId: 't', key: 'k' });
      expect((await reader.error('task.get_attachment', { taskId: 't', key: 'k' })).code).toBe(-32602);
    }
    await other.result('task.delete', { id: 't' });
    expect((await one.error('task.list_attachments', { taskId: 't' })).message).toBe('Task t not found');
  });
});
