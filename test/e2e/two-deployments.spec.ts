import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { startService, type RpcReply, type Service } from '../support/service';
import { withRedis } from '../support/setups';

const NAMES = ['staging', 'production'];

describe('two deployments with prefixes on one Redis and one NATS server', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let nats: NatsServer;
  let client: NatsConnection;
  let services: Service[] = [];

  beforeAll(async () => {
    [postgres, redis, nats] = await Promise.all([
      startPostgres(),
      startRedis(),
      startNats({ args: ['--auth', 'p%ss'] }),
    ]);
    const start = async (name: string) =>
      startService({
        INSTANCE_ID: name,
        DATABASE_URL: (await createRuntimeDatabase(postgres)).url,
        REDIS_URL: redis.url,
        REDIS_PREFIX: `${name}:`,
        NATS_URL: nats.url.replace('://', '://p%25ss@'),
        NATS_PREFIX: name,
        RATE_LIMIT_PER_MINUTE: '1000',
      });
    services = await Promise.all(NAMES.map(start));
    client = await connect({ servers: nats.url, token: 'p%ss' });
  });
  afterAll(async () => {
    await Promise.all(services.map((service) => service.kill()));
    await client?.close();
    await Promise.all([postgres?.stop(), redis?.stop(), nats?.stop()]);
  });

  const request = async (subject: string, params: object) =>
    (await client.request(subject, JSON.stringify(params), { timeout: 5000 })).json<RpcReply>();

  it('do not answer each other’s calls, nor see each other’s data', async () => {
    for (const name of NAMES) {
      await until('requests are taken', () =>
        request(`${name}.task.create`, { id: 'shared', text: name }).then(
          ({ result, error }) => result !== undefined || error?.code === -32005,
          () => false,
        ),
      );
      const attachment = { taskId: 'shared', key: 'k', type: 'text', content: name };
      for (let i = 0; i < 5; i++) {
        expect(await request(`${name}.task.create_attachment`, attachment)).toMatchObject({ result: { key: 'k' } });
      }
    }
    for (const name of NAMES) {
      const read = { taskId: 'shared', key: 'k' };
      expect(await request(`${name}.task.get_attachment`, read)).toMatchObject({ result: { content: name } });
    }
    await expect(client.request('task.get', '{"id":"shared"}')).rejects.toThrow('no responders');
  });

  it('have no key in Redis, and no subject of a stream, in common', async () => {
    const keys = await withRedis(redis.url, (connection) => connection.keys('*'));
    for (const name of NAMES) expect(keys).toContain(`${name}:cb:task:shared:control`);
    expect(keys.filter((key) => !/^(staging|production):cb:/.test(key))).toEqual([]);
    expect(keys.filter((key) => key.includes(':cb:rate:')).length).toBeGreaterThan(0);
    const { streams } = await jetstreamManager(client);
    for (const name of NAMES) {
      const stream = `${name}-TASK_EVENTS`;
      await until(`${stream} has its events`, async () => (await streams.info(stream)).state.messages === 6);
    }
  });
});
