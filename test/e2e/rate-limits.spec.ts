import { connect } from '@nats-io/transport-node';
import { startCountingProxy, type CountingProxy } from '../support/counting-proxy';
import { writeKeyFile, type KeyFile } from '../support/key-file';
import { natsHeaders } from '../support/nats-headers';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import {
  runProgram,
  startService,
  type Environment,
  type HttpReply,
  type RpcReply,
  type Service,
} from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

const RATE_LIMITS = 'task.get=3/60s,task.list=2/60s,task.cancel=1/3s,task.delete=2/60s';
const MISSING = { id: 'missing' };

/** What a service needs beside its limits. */
interface Stores {
  readonly environment: Environment;
  close(): Promise<unknown>;
}

const STORES = [
  { name: 'embedded', open: () => Promise.resolve({ environment: { DATA_DIR: 'memory' }, close: async () => {} }) },
  { name: 'on PostgreSQL and Redis', open: openServers },
];

async function openServers(): Promise<Stores & { postgres: PostgresServer; redis: RedisServer }> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const environment = { DATABASE_URL: (await createRuntimeDatabase(postgres)).url, REDIS_URL: redis.url };
  return { environment, postgres, redis, close: () => Promise.all([postgres.stop(), redis.stop()]) };
}

function request(method: string, params: unknown, id?: number): object {
  return { jsonrpc: '2.0', method, params, id };
}

/** How many of these calls were not refused by a rate limit. */
function countPassed(replies: readonly RpcReply[]): number {
  return replies.filter(({ error }) => error?.code !== -32000).length;
}

function limitHeaders({ headers }: HttpReply): (string | null)[] {
  return ['x-ratelimit-limit', 'x-ratelimit-remaining', 'retry-after'].map((name) => headers.get(name));
}

function secondsLeft({ headers }: HttpReply): number {
  return Number(headers.get('x-ratelimit-reset'));
}

describe.each(STORES)('rate limits, $name', ({ open }) => {
  let stores: Stores;
  let keys: KeyFile;
  let service: Service;

  beforeAll(async () => {
    keys = writeKeyFile(20);
    stores = await open();
    service = await startService({ ...stores.environment, RATE_LIMITS, API_KEYS_FILE: keys.path });
  });
  afterAll(async () => {
    await service?.kill();
    await stores?.close();
    keys.remove();
  });

  const send = (caller: Environment, method: string, params: unknown = MISSING) =>
    service.post(JSON.stringify(request(method, params, 1)), caller);

  it('count down in the headers, then refuse calls and say for how long', async () => {
    const caller = keys.nextCaller();
    for (const remaining of ['2', '1', '0']) {
      const reply = await send(caller, 'task.get');
      expect(limitHeaders(reply)).toEqual(['3', remaining, null]);
      expect(secondsLeft(reply)).toBeGreaterThan(0);
      expect(secondsLeft(reply)).toBeLessThanOrEqual(60);
      expect(JSON.parse(reply.text)).toMatchObject({ error: { data: { code: 'TASK_NOT_FOUND' } } });
    }
    const refused = await send(caller, 'task.get');
    expect(refused.status).toBe(200);
    expect(limitHeaders(refused)).toEqual(['3', '0', String(secondsLeft(refused))]);
    const { error, id } = JSON.parse(refused.text) as RpcReply;
    const retryAfterMs = error?.data?.['retryAfterMs'] as number;
    expect(id).toBe(1);
    expect(error).toEqual({
      code: -32000,
      message: 'Rate limit exceeded',
      data: { code: 'RATE_LIMITED', limit: 3, windowMs: 60_000, retryAfterMs },
    });
    expect(Math.ceil(retryAfterMs / 1000)).toBe(secondsLeft(refused));
  });

  it('apply to one method and one caller, whatever instance id the caller sends', async () => {
    const [one, other] = [keys.nextCaller(), keys.nextCaller()];
    for (let i = 0; i < 4; i += 1) await send({ ...one, 'x-instance-id': `instance-${i}` }, 'task.get');
    expect((await service.error('task.get', MISSING, one)).code).toBe(-32000);
    expect((await service.error('task.get', MISSING, other)).code).toBe(-32602);
    expect(limitHeaders(await send(one, 'task.list', {}))).toEqual(['2', '1', null]);
  });

  it('add no headers to methods without a limit', async () => {
    const reply = await send(keys.nextCaller(), 'task.create', { text: 'x' });
    expect(limitHeaders(reply)).toEqual([null, null, null]);
    expect(reply.headers.has('x-ratelimit-reset')).toBe(false);
  });

  it('start again when the window that the first call opened has ended', async () => {
    const caller = keys.nextCaller();
    await send(caller, 'task.cancel');
    const { data } = await service.error('task.cancel', MISSING, caller);
    expect(data).toMatchObject({ code: 'RATE_LIMITED', limit: 1, windowMs: 3000 });
    // Refused calls do not prolong the window.
    await until(
      'the window ends',
      async () => countPassed([await service.rpc('task.cancel', MISSING, caller)]) === 1,
      10_000,
    );
  });

  it('count calls with invalid params, but no calls without a valid credential', async () => {
    const caller = keys.nextCaller();
    await send(caller, 'task.get', { id: '' });
    await send({ 'x-api-key': 'unknown' }, 'task.get');
    expect(limitHeaders(await send({ 'x-api-key': 'unknown' }, 'task.get'))).toEqual([null, null, null]);
    expect(limitHeaders(await send(caller, 'task.get'))).toEqual(['3', '1', null]);
  });

  it('count every call of a batch, notifications included', async () => {
    const caller = keys.nextCaller();
    const calls = [1, undefined, 2, 3, 4].map((id) => request('task.get', MISSING, id));
    const reply = await service.post(JSON.stringify([...calls, request('task.list', {}, 5)]), caller);
    const replies = JSON.parse(reply.text) as RpcReply[];
    expect(replies.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
    expect(countPassed(replies)).toBe(3);
    expect(replies[4]).toMatchObject({ result: { totalCount: expect.any(Number) as number } });
    // The headers describe the limit that refuses a call of the batch.
    expect(limitHeaders(reply)).toEqual(['3', '0', String(secondsLeft(reply))]);
  });

  it('apply to DELETE over REST, which counts as task.delete', async () => {
    const caller = keys.nextCaller();
    const remove = (id: string) => service.fetch(`/v1/tasks/${id}`, { method: 'DELETE', headers: caller });
    const { id } = await service.result<{ id: string }>('task.create', { text: 'x' }, caller);
    const deleted = await remove(id);
    expect([deleted.status, ...limitHeaders(deleted)]).toEqual([204, '2', '1', null]);
    expect(limitHeaders(await send(caller, 'task.delete'))).toEqual(['2', '0', null]);

    const refused = await remove('missing');
    expect([refused.status, JSON.parse(refused.text)]).toEqual([429, { detail: 'Rate limit exceeded' }]);
    expect(limitHeaders(refused)).toEqual(['2', '0', String(secondsLeft(refused))]);
  });

  describe('by default', () => {
    let open: Service;

    beforeAll(async () => {
      open = await startService(stores.environment);
    });
    afterAll(() => open?.kill());

    it('are a hundred deletions of attachments and a hundred of tasks in a minute', async () => {
      for (const [method, params] of [
        ['task.delete_attachment', { taskId: 'missing', key: 'k' }],
        ['task.delete', MISSING],
      ] as const) {
        const batch = JSON.stringify(Array.from({ length: 50 }, (_, i) => request(method, params, i)));
        for (const remaining of ['50', '0'])
          expect(limitHeaders(await open.post(batch))).toEqual(['100', remaining, null]);
        expect((await open.error(method, params)).data).toMatchObject({ limit: 100, windowMs: 60_000 });
      }
      for (let i = 0; i < 3; i += 1) {
        const batch = JSON.stringify(Array.from({ length: 50 }, (_, id) => request('task.get', MISSING, id)));
        expect(limitHeaders(await open.post(batch))).toEqual([null, null, null]);
      }
    });
  });

  describe('of callers without a credential', () => {
    let open: Service;
    let behindProxy: Service;
    let elsewhere: Service;

    beforeAll(async () => {
      const start = (environment: Environment) => startService({ ...stores.environment, RATE_LIMITS, ...environment });
      open = await start({});
      // The services share their limits, so each one limits another method.
      behindProxy = await start({ TRUST_PROXY: '10.0.0.0/8,127.0.0.1', RATE_LIMITS: 'task.list=2/60s' });
      elsewhere = await start({ TRUST_PROXY: '10.0.0.0/8', RATE_LIMITS: 'task.update=2/60s' });
    });
    afterAll(() => Promise.all([open, behindProxy, elsewhere].map((one) => one?.kill())));

    const passed = async (target: Service, method: string, forwarded: readonly string[]) => {
      const replies: RpcReply[] = [];
      for (const address of forwarded) replies.push(await target.rpc(method, {}, { 'x-forwarded-for': address }));
      return countPassed(replies);
    };

    it('use the address of the peer, and 1,000 spoofed addresses change nothing', async () => {
      const addresses = Array.from({ length: 1000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`);
      const chunks = Array.from({ length: 50 }, (_, i) => addresses.slice(i * 20, i * 20 + 20));
      const counts = await Promise.all(chunks.map((chunk) => passed(open, 'task.get', chunk)));
      expect(counts.reduce((total, count) => total + count)).toBe(3);
    });

    it('use the address that a trusted proxy reports, and none that a client has sent through it', async () => {
      const spoofed = Array.from({ length: 10 }, (_, i) => `198.51.100.${i}, 203.0.113.1`);
      expect(await passed(behindProxy, 'task.list', spoofed)).toBe(2);
      expect(await passed(behindProxy, 'task.list', ['203.0.113.2', '203.0.113.2, 10.1.2.3', '203.0.113.2'])).toBe(2);
    });

    it('use the address without the port that some proxies add', async () => {
      const samePeer = ['203.0.113.3:4711', '203.0.113.3:4712', '203.0.113.3', '203.0.113.3:1, 10.1.2.3:443'];
      expect(await passed(behindProxy, 'task.list', samePeer)).toBe(2);
      expect(await passed(behindProxy, 'task.list', ['203.0.113.4:4711', '[2001:db8:0:3::1]:4711'])).toBe(2);
    });

    it('use the network of an IPv6 address', async () => {
      const sameNetwork = ['2001:db8:0:1::1', '2001:DB8::1:ffff:0:0:2', '2001:db8:0:1:2:3:4:5'];
      expect(await passed(behindProxy, 'task.list', sameNetwork)).toBe(2);
      expect(await passed(behindProxy, 'task.list', ['2001:db8:0:2::1'])).toBe(1);
    });

    it('ignore the address that an untrusted proxy reports', async () => {
      const forwarded = Array.from({ length: 10 }, (_, i) => `203.0.113.${i}`);
      expect(await passed(elsewhere, 'task.update', forwarded)).toBe(2);
    });
  });
});

describe('rate limits of several replicas', () => {
  let stores: Awaited<ReturnType<typeof openServers>>;
  let nats: NatsServer;
  let proxy: CountingProxy;
  let keys: KeyFile;
  let replicas: Service[] = [];

  beforeAll(async () => {
    keys = writeKeyFile(1000);
    [stores, nats] = await Promise.all([openServers(), startNats({ jetStream: false })]);
    // The background work of the service asks Redis for no task and no limit, so it is not counted.
    proxy = await startCountingProxy(
      stores.redis.port,
      (request) => request.includes('cb:task:') || request.includes('cb:rate:'),
    );
    const shared = { ...stores.environment, NATS_URL: nats.url, RATE_LIMITS: 'task.get=10/60s,task.list=4/60s' };
    replicas = await Promise.all([
      startService({ ...shared, API_KEYS_FILE: keys.path, REDIS_URL: `redis://127.0.0.1:${proxy.port}` }),
      startService({ ...shared, API_KEYS_FILE: keys.path }),
    ]);
    await untilServedOverNats(nats.url, 2);
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await proxy?.close();
    await Promise.all([nats?.stop(), stores?.close()]);
    keys.remove();
  });

  const replica = (i: number) => replicas[i % 2] as Service;
  const unsharedCalls = async () => {
    const metrics = await Promise.all(replicas.map((one) => one.fetch('/metrics')));
    const counts = metrics.map(({ text }) => /^dossier_rate_limit_unshared_calls_total (\d+)$/m.exec(text)?.[1]);
    return counts.reduce((sum, count) => sum + Number(count), 0);
  };
  /**
   * What `measure` says when all its calls were counted in Redis. A busy machine may delay Redis so much that a replica
   * counts by itself: then it is asked again, with a new caller.
   */
  const whileShared = <T>(measure: (caller: Environment) => Promise<T>): Promise<{ caller: Environment; result: T }> =>
    until('Redis counts all calls of a caller', async () => {
      const caller = keys.nextCaller();
      const before = await unsharedCalls();
      const result = await measure(caller);
      return (await unsharedCalls()) === before && { caller, result };
    });
  const getTwelveTimes = async (caller: Environment) => {
    const replies: RpcReply[] = [];
    for (let i = 0; i < 12; i += 1) replies.push(await replica(i).rpc('task.get', MISSING, caller));
    return countPassed(replies);
  };

  it('are shared', async () => {
    expect((await whileShared(getTwelveTimes)).result).toBe(10);
  });

  it('count calls over HTTP and NATS together', async () => {
    const client = await connect({ servers: nats.url });
    const overNats = async (caller: Environment) => {
      const reply = await client.request('task.list', '{}', { headers: natsHeaders(caller), timeout: 10_000 });
      return reply.json<RpcReply>();
    };
    try {
      const { result } = await whileShared(async (caller) => {
        const replies = [await overNats(caller), await overNats(caller)];
        for (let i = 0; i < 3; i += 1) replies.push(await replica(i).rpc('task.list', {}, caller));
        return { passed: countPassed(replies), next: await overNats(caller) };
      });
      expect(result.passed).toBe(4);
      expect(result.next).toMatchObject({ error: { code: -32000, data: { code: 'RATE_LIMITED', limit: 4 } } });
    } finally {
      await client.close();
    }
  });

  it('cost a limited call one round trip, and any other call none', async () => {
    const caller = keys.nextCaller();
    const service = replica(0);
    const { id } = await service.result<{ id: string }>('task.create', { text: 'x' }, caller);
    const params = { taskId: id, key: 'k' };
    await service.result('task.create_attachment', { ...params, type: 'text', content: 'x' }, caller);
    const roundTrips = async (method: string, params: unknown) => {
      // The first call may fill the cache or load the script.
      await service.result(method, params, caller);
      const counts: number[] = [];
      for (let i = 0; i < 7; i++) {
        proxy.takeRoundTrips();
        await service.result(method, params, caller);
        counts.push(proxy.takeRoundTrips());
      }
      // The projection of an earlier write may add a round trip, so the median counts.
      return counts.sort()[3];
    };
    expect(await roundTrips('task.get_attachment', params)).toBe(1);
    // This method asks PostgreSQL only: the round trip is that of its limit.
    expect(await roundTrips('task.get', { id })).toBe(1);
  });

  it('hold in each replica without a wait while Redis is down, and are shared again when it is back', async () => {
    const { caller: known, result } = await whileShared(getTwelveTimes);
    expect(result).toBe(10);
    const unknown = keys.nextCaller();
    await stores.redis.kill();
    const startedAtMs = performance.now();
    // Each replica has counted six of these calls, so four are left. For a new caller, each replica allows ten.
    expect(await getTwelveTimes(known)).toBe(8);
    expect(await getTwelveTimes(unknown)).toBe(12);
    expect(await getTwelveTimes(unknown)).toBe(8);
    // If each of the 36 calls waited for Redis, this would take far longer.
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
    await stores.redis.restart();
    const isShared = async () => (await getTwelveTimes(keys.nextCaller())) === 10;
    await until('the replicas count together again', isShared);
  });
});

describe('rate limits over NATS', () => {
  let nats: NatsServer;
  let service: Service;

  beforeAll(async () => {
    nats = await startNats({ jetStream: false });
    service = await startService({ DATA_DIR: 'memory', NATS_URL: nats.url, RATE_LIMIT_PER_MINUTE: '2' });
  });
  afterAll(async () => {
    await service?.kill();
    await nats?.stop();
  });

  it('use the instance id of callers without a credential', async () => {
    const client = await connect({ servers: nats.url });
    const passed = async (instanceId?: string) => {
      const replies: RpcReply[] = [];
      for (let i = 0; i < 4; i += 1) {
        const headers = natsHeaders(instanceId ? { 'X-Instance-Id': instanceId } : {});
        replies.push((await client.request('task.get', '{"id":"x"}', { headers, timeout: 10_000 })).json<RpcReply>());
      }
      return countPassed(replies);
    };
    try {
      await until('the service listens to NATS', () => passed('warm-up').catch(() => undefined));
      expect([await passed('a'), await passed('b'), await passed('a'), await passed()]).toEqual([2, 2, 0, 2]);
    } finally {
      await client.close();
    }
  });
});

it('a rate limit for an unknown method stops the start', async () => {
  const { code, stderr } = await runProgram('dist/main.js', [], { DATA_DIR: 'memory', RATE_LIMITS: 'task.gte=1/1s' });
  expect(code).toBeGreaterThan(0);
  expect(stderr).toBe('dossier: RATE_LIMITS names a method that does not exist: task.gte\n');
});
