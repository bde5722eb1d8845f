import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startSentinel } from '../support/redis-sentinel';
import { startRedis, type RedisServer } from '../support/redis-server';
import { launchService, runProgram, startService, type Members, type Service } from '../support/service';
import { withRedis } from '../support/setups';

const FILE = join(__dirname, '../../deploy/redis-users.conf');
/** What a user of the service is given by the file, apart from its password. */
const [, documented = ''] = /^user dossier on #\w+ (.*)$/m.exec(readFileSync(FILE, 'utf8')) ?? [];
const RULES = documented.split(' ');

describe('a replica that logs in to Redis as a user', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let service: Service | undefined;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ appendOnly: true })]);
  });
  afterEach(async () => {
    await service?.kill();
    service = undefined;
  });
  afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

  const environment = async (...rules: string[]) => {
    await withRedis(redis.url, async (admin) => {
      await admin.flushall();
      await admin.acl('SETUSER', 'dossier', 'reset', 'on', '>50%', ...rules);
      await admin.call('ACL', 'LOG', 'RESET');
    });
    return {
      DATABASE_URL: await postgres.createDatabase(),
      REDIS_URL: redis.url.replace('//', '//dossier:50%25@'),
      RATE_LIMIT_PER_MINUTE: '100000',
    };
  };
  const healthOfRedis = async () => {
    const { text } = await (service as Service).fetch('/readyz');
    return (JSON.parse(text) as { details: { redis: Members } }).details.redis;
  };

  it('needs no more rights than the documented ones, whatever happens', async () => {
    const settings = await environment(...RULES);
    service = await startService(settings);
    const replica = service;
    await until('Redis is up', async () => (await healthOfRedis())['state'] === 'up');
    expect(await healthOfRedis()).toEqual({ status: 'up', state: 'up' });

    const { id: taskId } = await replica.result('task.create', { text: 'x' });
    const create = (key: string) =>
      replica.result('task.create_attachment', { taskId, key, type: 'text', content: 'x', ttlSeconds: 3600 });
    await create('a');
    await replica.result('task.get_attachment', { taskId, key: 'a' });
    await replica.result('task.list_attachments', { taskId });
    await replica.result('task.get_attachments_batch', { requests: [{ taskId, key: 'a' }] });
    await replica.result('task.delete_attachment', { taskId, key: 'a' });
    await postgres.kill();
    await until('a write is journaled', async () => (await create('b').catch(() => undefined))?.['degraded'] === true);
    const status = () => runProgram('dist/commands/dossier.js', ['journal', 'status'], settings);
    expect((await status()).stdout).toMatch(/^waiting: [1-9]/);
    await postgres.restart();
    await until('the journal is drained', async () => (await status()).stdout.startsWith('waiting: 0'));
    await replica.result('task.delete', { taskId });
    expect(await withRedis(redis.url, (admin) => admin.call('ACL', 'LOG'))).toEqual([]);
  });

  it.each([
    ['all keys', []],
    ['to change keys', ['%R~cb:*']],
    ['scripts', ['~cb:*', '-@scripting']],
  ])('finds Redis down, and says what is missing, if the user is refused %s', async (_, rules) => {
    service = await startService(await environment('+@all', '-@dangerous', '+info', ...rules));
    await service.until('/readyz', 200);
    const needs = /"ask redis".*NOPERM .*: the ACL of the user needs ~cb:\* \+@all -@dangerous \+info/;
    await until('it says why', () => service?.logLines.some((line) => needs.test(line)));
    expect(await healthOfRedis()).toEqual({ status: 'degraded', state: 'down' });

    await withRedis(redis.url, (admin) => admin.acl('SETUSER', 'dossier', '~cb:*', '+@scripting'));
    await until('Redis is up', async () => (await healthOfRedis())['state'] === 'up');
  });

  it('says that the fitness is unknown if the user may not ask for INFO', async () => {
    service = await startService(await environment('~cb:*', '+@all', '-@dangerous'));
    await until('Redis is up', async () => (await healthOfRedis())['state'] === 'up');
    const reason = expect.stringMatching(/^fitness unknown: .*INFO is refused \(NOPERM\)/) as string;
    expect(await healthOfRedis()).toEqual({ status: 'degraded', state: 'up', reason });
    await service.until('/readyz', 200);
    expect(service.logLines.filter((line) => line.includes('fitness unknown'))).toHaveLength(1);
  });

  it('is not ready, and says why, if REDIS_URL leads to a Sentinel', async () => {
    const sentinel = await startSentinel(redis.port);
    try {
      service = await launchService({ DATABASE_URL: await postgres.createDatabase(), REDIS_URL: sentinel.url });
      const reason = 'the start is not complete: REDIS_URL leads to a Sentinel';
      await until('it says why', () => service?.logLines.some((line) => line.includes(reason)));
      expect((await service.fetch('/startupz')).status).toBe(503);
      expect((await service.fetch('/readyz')).status).toBe(503);
    } finally {
      await sentinel.stop();
    }
  });

  it('is not ready, and says why, if REDIS_URL leads to a node of a cluster and REDIS_CLUSTER is left out', async () => {
    const node = await startRedis({ appendOnly: true, cluster: true });
    try {
      service = await launchService({ DATABASE_URL: await postgres.createDatabase(), REDIS_URL: node.url });
      const reason = 'REDIS_URL leads to a node of Redis Cluster, and REDIS_CLUSTER is not true.';
      const line = `the start is not complete: ${reason}`;
      await until('it says why', () => service?.logLines.some((logged) => logged.includes(line)));
      expect((await service.fetch('/startupz')).status).toBe(503);
      await until('/readyz says why', async () => (await healthOfRedis())['reason'] === reason);
      expect((await service.fetch('/readyz')).status).toBe(503);
    } finally {
      await node.stop();
    }
  });
});
