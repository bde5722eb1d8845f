import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { EventReader } from '../support/event-reader';
import { startForwarder, type Forwarder } from '../support/forwarder';
import { until } from '../support/poll';
import { startCopy, startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { launchService, startService, type Service } from '../support/service';
import { withPostgres, withRedis } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

const DATABASE = 'test_1';
/** Enough for the positions of the new server to lie below those of the old one. */
const SPENT_TRANSACTIONS = 3000;

let redis: RedisServer;
let servers: PostgresServer[];
let forwarder: Forwarder;
let services: Service[];

beforeEach(async () => {
  redis = await startRedis({ appendOnly: true });
  servers = [await startPostgres()];
  forwarder = await startForwarder(first().port);
  await first().createDatabase();
  services = [];
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.kill()));
  await forwarder.close();
  await Promise.all(servers.map((server) => server.stop()));
  await redis.stop();
});

const first = () => servers[0] as PostgresServer;
const urlOn = (port: number) => `postgres://postgres@127.0.0.1:${port}/${DATABASE}`;
const environment = (port = forwarder.port) => ({ DATABASE_URL: urlOn(port), REDIS_URL: redis.url });
async function start(): Promise<Service> {
  const service = await startService(environment());
  services.push(service);
  return service;
}
const put = (service: Service, taskId: string, key: string, value: string) =>
  service.result<WireAttachment>('task.create_attachment', { taskId, key, type: 'json', value });
const valueOf = async (service: Service, taskId: string, key: string) => {
  const { result, error } = await service.rpc('task.get_attachment', { taskId, key });
  return result ? result['value'] : error?.data?.['code'];
};
const remove = (service: Service, taskId: string, key: string) =>
  service.result('task.delete_attachment', { taskId, key });
const listOf = async (service: Service, taskId: string) => {
  const { attachments } = await service.result<WireAttachmentPage>('task.list_attachments', { taskId });
  return Object.fromEntries(attachments.map(({ key, value }) => [key, value]));
};

/** What the backup, or the standby, will have. */
async function writeWhatStays(service: Service): Promise<void> {
  for (const id of ['t', 'gone']) await service.result('task.create', { id, text: 'x' });
  await put(service, 't', 'overwritten', 'old');
  await put(service, 't', 'removed', 'old');
  await put(service, 'gone', 'a', 'old');
}

/** What it will lack; everything is cached, and the replica remembers it as its own. */
async function writeWhatIsLost(service: Service): Promise<void> {
  await put(service, 't', 'overwritten', 'lost');
  await put(service, 't', 'added', 'lost');
  await remove(service, 't', 'removed');
  await service.result('task.delete', { id: 'gone' });
  await service.result('task.create', { id: 'new', text: 'x' });
  await put(service, 'new', 'a', 'lost');
  await until('the task is cached', async () => {
    const list = await listOf(service, 't');
    return withRedis(
      redis.url,
      async (client) => list['added'] === 'lost' && (await client.hget('cb:task:t:control', 'c')) === '1',
    );
  });
}

/** Of each replica: the truth is that of the server that is there now, in every answer. */
async function expectWhatStays(): Promise<void> {
  for (const service of services) {
    await until('the new server is reached', async () => (await valueOf(service, 't', 'overwritten')) === 'old');
    expect(await valueOf(service, 't', 'added')).toBe('ATTACHMENT_NOT_FOUND');
    expect(await valueOf(service, 't', 'removed')).toBe('old');
    expect(await valueOf(service, 'gone', 'a')).toBe('old');
    expect(await service.result('task.get', { id: 'gone' })).toMatchObject({ id: 'gone' });
    expect((await service.error('task.get', { id: 'new' })).data).toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect((await service.error('task.get_attachment', { taskId: 'new', key: 'a' })).data).toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
    for (const _ of ['from PostgreSQL', 'from Redis']) {
      expect(await listOf(service, 't')).toEqual({ overwritten: 'old', removed: 'old' });
      const batch = await service.result('task.get_attachments_batch', {
        requests: ['overwritten', 'removed'].map((key) => ({ taskId: 't', key })),
      });
      expect(JSON.stringify(batch)).not.toContain('lost');
    }
  }
}

/** Both replicas use the new server, and tell each other of changes through Redis. */
async function expectToWork([one, two] = services as [Service, Service]): Promise<void> {
  await put(one, 't', 'after', 'new');
  await until('the other replica has it', async () => (await valueOf(two, 't', 'after')) === 'new');
  await put(two, 't', 'after', 'newer');
  await until('the first replica has it', async () => (await valueOf(one, 't', 'after')) === 'newer');
  await remove(one, 't', 'after');
  await until('it is gone', async () => (await valueOf(two, 't', 'after')) === 'ATTACHMENT_NOT_FOUND');
}

it('after a dump was restored into a new cluster, with Redis kept, every answer is that of the dump', async () => {
  await withPostgres(urlOn(first().port), async (client) => {
    for (let i = 0; i < SPENT_TRANSACTIONS; i++) await client.query('SELECT pg_current_xact_id()');
  });
  await start();
  const [one] = services as [Service];
  await writeWhatStays(one);
  const dump = execFileSync(join(first().binaries, 'pg_dump'), [urlOn(first().port)], { encoding: 'utf8' });
  await start();
  const reader = await EventReader.open(one.url);
  await writeWhatIsLost(one);
  const [lastLost] = (await reader.events(6)).slice(-1);
  reader.close();

  const second = await startPostgres();
  servers.push(second);
  await second.createDatabase();
  execFileSync(join(first().binaries, 'psql'), ['-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', urlOn(second.port)], {
    input: dump,
  });
  forwarder.leadTo(second.port);
  await expectWhatStays();
  await expectToWork();
  for (const { url } of services) {
    const resumed = await EventReader.open(url, { lastEventId: lastLost?.id });
    expect((await resumed.events(3)).map(({ data }) => data.payload['key'])).toEqual(['after', 'after', 'after']);
    resumed.close();
  }
  await withPostgres(urlOn(second.port), async (client) => {
    await until('every event is published', async () => {
      const { rowCount } = await client.query('SELECT FROM outbox WHERE NOT published');
      return rowCount === 0;
    });
  });
});

it('after a standby was promoted that lacks the last commits, every answer is that of the standby', async () => {
  await start();
  await start();
  const [one] = services as [Service];
  await writeWhatStays(one);
  const standby = await startCopy(first(), { isStandby: true });
  servers.push(standby);
  await standby.kill();
  await writeWhatIsLost(one);
  await put(one, 't', 'overwritten', 'lost again');
  await first().kill();
  // What is acknowledged meanwhile is in the journal, and outlives the promotion.
  await until(
    'the journal takes writes',
    async () =>
      (await one.rpc('task.create_attachment', { taskId: 't', key: 'journaled', type: 'json', value: 'kept' })).result,
  );

  await standby.restart();
  await withPostgres(standby.url, (client) => client.query('SELECT pg_promote()'));
  forwarder.leadTo(standby.port);
  for (const service of services) {
    await until('the journal is drained', async () => (await valueOf(service, 't', 'journaled')) === 'kept');
  }
  await remove(one, 't', 'journaled');
  await expectWhatStays();
  await expectToWork();
});

it('a replica on another database, or on a copy of this one, is not ready, and leaves the Redis of the others alone', async () => {
  await start();
  await start();
  const [one] = services as [Service];
  await writeWhatStays(one);
  const copy = await startCopy(first(), { isStandby: false });
  const other = await startPostgres();
  servers.push(copy, other);
  await other.createDatabase();
  await withPostgres(copy.url, (client) => client.query('SELECT 1'));
  forwarder.leadTo(1);
  await until(
    'the journal takes writes',
    async () =>
      (await one.rpc('task.create_attachment', { taskId: 't', key: 'journaled', type: 'json', value: 'kept' })).result,
  );

  const misled = await launchService(environment(other.port));
  services.push(misled);
  await until('it says why', () =>
    misled.logLines.some((line) => line.includes('this Redis belongs to another database')),
  );
  expect((await misled.fetch('/readyz')).status).toBe(503);
  await withRedis(redis.url, async (client) => expect(await client.llen('cb:journal')).toBe(1));
  await misled.kill();
  services.pop();
  forwarder.leadTo(first().port);
  await until('the journal is drained', () =>
    withRedis(redis.url, async (client) => (await client.llen('cb:journal')) === 0),
  );
  await expectToWork();
});
