import { exitCodeOf } from '../../src/commands/exit-code';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import { RedisOwner } from '../../src/outbound/redis/redis-owner';
import { startRedisCluster, type RedisCluster, type RedisServer } from '../support/redis-server';

const READY_TIMEOUT_MS = 15_000;
const IDENTITY = { databaseId: 'd', epoch: 'e', run: 'r', past: new Set<string>() };
const UNAVAILABLE = { name: 'StoreError', store: 'redis', outcome: 'unavailable' };

describe('the owner of a cluster', () => {
  let servers: RedisCluster;
  let connection: RedisConnection;
  let owner: RedisOwner;

  beforeAll(async () => {
    servers = await startRedisCluster();
    connection = new RedisConnection({ url: servers.url, isCluster: true, onChange: () => undefined });
    owner = new RedisOwner(connection.client, new RedisKeys(true));
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
  });
  afterAll(async () => {
    await connection?.close();
    await servers?.stop();
  });

  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('stays if writes wait for another database', async () => {
    const keys = new RedisKeys(true);
    await owner.adopt(IDENTITY);
    expect(await owner.othersThan(IDENTITY)).toEqual({ databaseIds: [], waiting: 0 });
    await connection.client.rpush(keys.journal(0), 'a write');
    const error = await failureOf(owner.adopt({ ...IDENTITY, databaseId: 'another' }));
    expect(error).toMatchObject({ message: expect.stringContaining('1 writes wait for database d') as string });
    expect(exitCodeOf(error)).toBe(1);
  });

  it('stays while one of the masters is unavailable: the same may succeed later', async () => {
    const [node] = servers.nodes as [RedisServer];
    await node.kill();
    for (const error of [await failureOf(owner.othersThan(IDENTITY)), await failureOf(owner.adopt(IDENTITY))]) {
      expect(error).toMatchObject(UNAVAILABLE);
      expect(exitCodeOf(error)).toBe(4);
    }
  });
});
