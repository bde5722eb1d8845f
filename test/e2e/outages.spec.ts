import { nextMillisecond, until } from '../support/poll';
import { startService, type Service } from '../support/service';
import { openOnServers, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

/** What the service promises, for every call. */
const OPERATION_TIMEOUT_MS = 5000;

const put = (service: Service, taskId: string, key: string, value: unknown) =>
  service.result<WireAttachment>('task.create_attachment', { taskId, key, type: 'json', value });
const valueOf = async (service: Service, taskId: string, key: string) =>
  (await service.result<WireAttachment>('task.get_attachment', { taskId, key })).value;

describe('Redis comes and goes', () => {
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
  const isInRedis = (key: string) =>
    withRedis(servers.redis.url, async (redis) => (await redis.exists(`cb:task:t:attachment:${key}`)) === 1);

  /** Everything, without Redis. */
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

  it('gone while serving: reads and writes go on', async () => {
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

  it('back again: it is used again, and nothing is stale', async () => {
    await servers.redis.restart();
    await stateOfRedis('up');
    expect(await valueOf(setup.service, 't', 'overwritten')).toBe('after');
    expect((await setup.service.error('task.get_attachment', { taskId: 't', key: 'deleted' })).code).toBe(-32602);
    expect(await isInRedis('overwritten')).toBe(true);
    await useAll('after-outage');
  });

  it('away at the start: it serves from PostgreSQL, and uses Redis once it is there', async () => {
    await setup.service.stop();
    await servers.redis.kill();
    await setup.startAgain();
    expect(await states()).toEqual([200, 'up', 'down']);
    await useAll('without-redis');
    await put(setup.service, 't', 'late', 1);
    await servers.redis.restart();
    await stateOfRedis('up');
    expect(await valueOf(setup.service, 't', 'late')).toBe(1);
    expect(await isInRedis('late')).toBe(true);
  });

  it('there, but silent: calls are answered within their time', async () => {
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
    } finally {
      servers.redis.resume();
    }
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

  it('that start at once on an empty database agree on its schema, and on everything after', async () => {
    await setup.service.kill();
    await withPostgres(setup.servers?.databaseUrl as string, async (client) => {
      await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    });
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
