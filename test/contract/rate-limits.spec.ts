import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryRateLimits } from '../../src/outbound/memory/memory-rate-limits';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { RedisRateLimits } from '../../src/outbound/redis/redis-rate-limits';
import { until } from '../support/poll';
import { startRedis, type RedisServer } from '../support/redis-server';
import { describeRateLimits, type RateLimitsHarness } from './rate-limits.contract';

const WINDOW_MS = 60_000;

describeRateLimits('memory', () => Promise.resolve(memoryHarness()));
describeRateLimits('Redis', () => openRedis({ cluster: false }));
describeRateLimits('Redis Cluster', () => openRedis({ cluster: true }));

describe('rate limits in memory', () => {
  it('keep a bounded number of windows, and forget the oldest ones first', async () => {
    const limits = new MemoryRateLimits({ maxWindows: 4 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) await limits.count(name, WINDOW_MS);
    expect(await limits.count('e', WINDOW_MS)).toMatchObject({ calls: 2 });
    expect(await limits.count('d', WINDOW_MS)).toMatchObject({ calls: 2 });
    expect(await limits.count('a', WINDOW_MS)).toMatchObject({ calls: 1 });
  });

  it('keep a window to its end, whenever it was opened', async () => {
    let nowMs = 0;
    const limits = new MemoryRateLimits({ maxWindows: 1000, nowMs: () => nowMs });
    await limits.count('first', 100);
    for (nowMs = 50; nowMs < 150; nowMs += 1) await limits.count('late', 100);
    expect(await limits.count('late', 100)).toMatchObject({ calls: 1 });
    nowMs = 249;
    expect(await limits.count('late', 100)).toEqual({ calls: 2, endsInMs: 1, elsewhere: { missing: 0 } });
  });

  it('open no window that lasts longer than its length because of rounding', async () => {
    const nowMs = 39511.58764439122;
    expect(nowMs + WINDOW_MS - nowMs).toBeGreaterThan(WINDOW_MS);
    const limits = new MemoryRateLimits({ maxWindows: 4, nowMs: () => nowMs });
    const window = { calls: 1, endsInMs: WINDOW_MS, elsewhere: { missing: 0 } };
    expect(await limits.count('a', WINDOW_MS)).toEqual(window);
  });

  it('cost the same with a hundred thousand open windows and with as many ended ones', async () => {
    let nowMs = 0;
    const limits = new MemoryRateLimits({ maxWindows: 200_000, nowMs: () => nowMs });
    const timed = async (names: string) => {
      const startedAtMs = performance.now();
      for (let i = 0; i < 100_000; i += 1) await limits.count(`${names}-${i}`, WINDOW_MS);
      return performance.now() - startedAtMs;
    };
    const empty = await timed('first');
    const full = await timed('second');
    nowMs += WINDOW_MS;
    const ended = await timed('third');
    // If each call scanned all windows, this would take a thousand times as long.
    expect(Math.max(full, ended)).toBeLessThan(50 * empty);
  });
});

describe('rate limits in Redis', () => {
  let redis: RedisServer;
  let replicas: RedisConnection[];
  let limits: RedisRateLimits[];
  let unshared: number;

  beforeEach(async () => {
    redis = await startRedis();
    replicas = [await connect(redis.url), await connect(redis.url)];
    unshared = 0;
    limits = replicas.map(
      ({ client }) => new RedisRateLimits(client, new MemoryRateLimits({ maxWindows: 100 }), '', () => (unshared += 1)),
    );
  });
  afterEach(async () => {
    redis.resume();
    await Promise.all(replicas.map((replica) => replica.close()));
    await redis.stop();
  });

  const count = async (replica: number, name = 'a') =>
    (await (limits[replica] as RedisRateLimits).count(name, WINDOW_MS)).calls;

  it('are shared by replicas', async () => {
    expect([await count(0), await count(1), await count(0)]).toEqual([1, 2, 3]);
  });

  it('continue from the local counts while Redis is down, say so, and are shared again when it is back', async () => {
    expect([await count(0), await count(0), await count(1)]).toEqual([1, 2, 3]);
    expect(unshared).toBe(0);
    await redis.kill();
    expect([await count(0), await count(1)]).toEqual([3, 2]);
    expect([await count(0, 'b'), await count(1, 'b')]).toEqual([1, 1]);
    expect(unshared).toBe(4);
    await redis.restart();
    await Promise.all(replicas.map((replica) => replica.waitUntilReady(10_000)));
    // Redis has forgotten the first three calls, and is told of those that each replica counted by itself.
    expect([await count(0), await count(1), await count(0)]).toEqual([2, 4, 5]);
    expect([await count(0, 'b'), await count(1, 'b'), await count(0, 'b')]).toEqual([2, 4, 5]);
    expect(unshared).toBe(4);
  });

  it('show the calls on all replicas, those of this one while Redis is down, and say if only this one began anew', async () => {
    for (const replica of [0, 1, 1]) await count(replica);
    const shown = (replica: number) => (limits[replica] as RedisRateLimits).open(10, () => true);
    expect(await shown(0)).toMatchObject([{ name: 'a', calls: 3 }]);
    await redis.kill();
    expect(await shown(0)).toMatchObject([{ name: 'a', calls: 1 }]);
    await expect((limits[0] as RedisRateLimits).end(['a'])).rejects.toMatchObject({ store: 'redis' });
    expect(await shown(0)).toEqual([]);
    await redis.restart();
    await Promise.all(replicas.map((replica) => replica.waitUntilReady(10_000)));
    await (limits[0] as RedisRateLimits).end(['a']);
    expect([await shown(1), await count(1)]).toEqual([[], 1]);
  });

  it('of which one holds a foreign value are shown without it', async () => {
    await count(0);
    await (replicas[0] as RedisConnection).client.del('cb:rate:a');
    await (replicas[0] as RedisConnection).client.rpush('cb:rate:a', 'x');
    expect(await (limits[0] as RedisRateLimits).open(10, () => true)).toEqual([]);
  });

  it.each<[string, number, (client: RedisConnection['client']) => Promise<unknown>]>([
    ['a count that never ends', 1001, (client) => client.set('cb:rate:a', '1000')],
    ['a count that ends too late', 8, (client) => client.set('cb:rate:a', '7', 'PX', 10 * WINDOW_MS)],
    ['a negative count', 1, (client) => client.set('cb:rate:a', '-5')],
    ['a count that cannot be incremented', 1, (client) => client.set('cb:rate:a', String(2n ** 63n - 1n))],
    ['a fraction', 1, (client) => client.set('cb:rate:a', '1.5')],
    ['a text', 1, (client) => client.set('cb:rate:a', 'x', 'PX', WINDOW_MS / 2)],
    ['a list', 1, (client) => client.rpush('cb:rate:a', 'x')],
    ['a hash', 1, (client) => client.hset('cb:rate:a', 'x', 'y')],
  ])('turn a foreign value into a shared window with an end: %s', async (_, calls, corrupt) => {
    const [first, second] = limits as [RedisRateLimits, RedisRateLimits];
    await corrupt((replicas as [RedisConnection, ...RedisConnection[]])[0].client);
    const window = await first.count('a', WINDOW_MS);
    expect(window.calls).toBe(calls);
    expect(window.endsInMs).toBeGreaterThan(0);
    expect(window.endsInMs).toBeLessThanOrEqual(WINDOW_MS);
    expect((await second.count('a', WINDOW_MS)).calls).toBe(calls + 1);
  });

  it('do not wait for a Redis that does not reply', async () => {
    await count(0);
    redis.pause();
    const startedAtMs = performance.now();
    for (let calls = 2; calls <= 20; calls += 1) expect(await count(0)).toBe(calls);
    // If each call waited, this would take longer than four seconds.
    expect(performance.now() - startedAtMs).toBeLessThan(2000);
    redis.resume();
    await until('the window is shared again', async () => (await count(1, 'b')) !== (await count(0, 'b')));
    // All twenty calls, whether Redis was late or was not asked.
    expect([await count(0), await count(1)]).toEqual([21, 22]);
  });
});

function memoryHarness(): RateLimitsHarness {
  let nowMs = 0;
  return {
    limits: new MemoryRateLimits({ maxWindows: 1000, nowMs: () => nowMs }),
    elapse: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

async function openRedis({ cluster }: { cluster: boolean }): Promise<RateLimitsHarness> {
  const server = await startRedis({ cluster });
  const connection = await connect(server.url, cluster);
  return {
    limits: new RedisRateLimits(connection.client, new MemoryRateLimits({ maxWindows: 1000 })),
    elapse: (ms) => sleep(ms),
    close: async () => {
      await connection.close();
      await server.stop();
    },
  };
}

async function connect(url: string, isCluster = false): Promise<RedisConnection> {
  const connection = new RedisConnection({ url, isCluster, onChange: () => undefined });
  connection.connect();
  await connection.waitUntilReady(10_000);
  return connection;
}
