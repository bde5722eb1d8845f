import { Cluster, Redis } from 'ioredis';
import { PING_TIMEOUT_MS } from '../../src/inbound/health/dependency';
import { CacheReset } from '../../src/outbound/redis/cache-reset';
import { DeadLetters } from '../../src/outbound/redis/dead-letters';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import { putChange } from '../../src/core/ports/attachment-cache';
import { startRedis, startRedisCluster, type RedisCluster, type RedisServer } from '../support/redis-server';
import { until } from '../support/poll';
import { sampleAttachment } from '../support/sample-attachment';

const READY_TIMEOUT_MS = 15_000;
/** Longer than a connection may be silent. */
const SILENCE_TIMEOUT_MS = 3200;
const UNAVAILABLE = { name: 'StoreError', store: 'redis', outcome: 'unavailable' };
const TIMEOUT = { ...UNAVAILABLE, outcome: 'timeout' };
const REF = { taskId: 't-1', key: 'a' };

describe.each([
  ['one server', false],
  ['a cluster', true],
])('connection to %s', (_, isCluster) => {
  let server: RedisServer;
  let connection: RedisConnection;
  let cache: RedisAttachmentCache;
  let changes: string[];

  const open = (commandTimeoutMs?: number) => {
    changes = [];
    connection = new RedisConnection({
      url: server.url,
      isCluster,
      commandTimeoutMs,
      onChange: (state) => changes.push(state),
    });
    cache = new RedisAttachmentCache(connection, new RedisKeys(isCluster), 60_000);
    connection.connect();
  };
  const ready = () => connection.waitUntilReady(READY_TIMEOUT_MS);
  /** Breaks the connections alone: the server and its data stay. */
  const breakConnections = async () => {
    const other = new Redis(server.url);
    await other.client('KILL', 'TYPE', 'normal');
    other.disconnect();
  };
  const untilDown = () => until('it is down', () => changes.at(-1) === 'down');

  beforeAll(async () => {
    server = await startRedis({ cluster: isCluster });
  });
  afterAll(() => server?.stop());
  afterEach(async () => {
    server.resume();
    await connection.close();
    await server.restart();
  });

  it('fails calls at once while Redis is unavailable, and works as soon as Redis is available', async () => {
    await server.kill();
    open();
    await expect(cache.read([REF], 'acme')).rejects.toMatchObject(UNAVAILABLE);
    await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toMatchObject(UNAVAILABLE);
    await expect(connection.waitUntilReady(50)).rejects.toMatchObject(UNAVAILABLE);
    await server.restart();
    await ready();
    await connection.ping(PING_TIMEOUT_MS);
    expect(await cache.read([REF], 'acme')).toHaveLength(1);
    expect(changes).toEqual(['down', 'up']);
  });

  it('reports every break and every return once', async () => {
    open();
    await ready();
    await cache.readTask('t-1');
    await server.kill();
    await untilDown();
    const attempts = await Promise.allSettled([
      cache.read([REF], 'acme'),
      cache.readTask('t-1'),
      cache.apply(putChange(sampleAttachment(REF))),
      cache.wipe('t-1', 2),
    ]);
    expect(attempts).toMatchObject(attempts.map(() => ({ status: 'rejected', reason: UNAVAILABLE })));
    await server.restart();
    await ready();
    expect(await cache.read([REF], 'acme')).toHaveLength(1);
    expect(changes).toEqual(['up', 'down', 'up']);
  });

  it('gives up a silent connection', async () => {
    open(100);
    await ready();
    await connection.ping(PING_TIMEOUT_MS);
    server.pause();
    await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toMatchObject(TIMEOUT);
    await untilDown();
    server.resume();
    await ready();
    await connection.ping(PING_TIMEOUT_MS);
  });

  /** Breaks the connection while the server is silent. A call in progress must fail. */
  const breakInSilence = async () => {
    open();
    await ready();
    await connection.ping(PING_TIMEOUT_MS);
    server.pause();
    const underWay = expect(cache.read([REF], 'acme')).rejects.toMatchObject(UNAVAILABLE);
    await server.kill();
    await server.restart();
    await underWay;
  };

  it('fails the calls in progress when it breaks', () => breakInSilence());

  it('keeps a connection that replies, however long the one before it was silent', async () => {
    await breakInSilence();
    const restartedAtMs = performance.now();
    await ready();
    const isOver = async () => {
      await connection.ping(PING_TIMEOUT_MS);
      return performance.now() > restartedAtMs + SILENCE_TIMEOUT_MS;
    };
    await until('the time is over that a silent connection has', isOver);
    expect(changes).toEqual(['up', 'down', 'up']);
  });

  it('starts a generation with every connection, and ignores fills of an earlier one', async () => {
    open();
    expect(connection.generation).toBe(0);
    await ready();
    await connection.client.flushall();
    const { token } = await cache.readTask('t-1');
    expect(token.generation).toBe(connection.generation);
    await breakConnections();
    await until(
      'connected again',
      () => connection.generation > token.generation && connection.client.status === 'ready',
    );
    const fill = { taskId: 't-1', organization: 'acme', withBodies: true, complete: true };
    await cache.fill([{ ...fill, token, attachments: [sampleAttachment(REF)] }]);
    const found = await cache.readTask('t-1');
    expect(found).toMatchObject({ token: { floor: token.floor, generation: connection.generation } });
    expect(found.organization).toBeUndefined();
    await cache.fill([{ ...fill, token: found.token, attachments: [sampleAttachment(REF)] }]);
    expect(await cache.readTask('t-1')).toMatchObject({ organization: 'acme' });
  });

  it('stays in its generation as long as the connection lasts', async () => {
    open();
    await ready();
    const { generation } = connection;
    for (let i = 0; i < 50; i++) await cache.readTask(`t-${i}`);
    await cache.cursors();
    expect(connection.generation).toBe(generation);
  });

  it('waits no longer than the command time-out for a silent server', async () => {
    open(200);
    await ready();
    await connection.ping(PING_TIMEOUT_MS);
    server.pause();
    await expect(cache.read([REF], 'acme')).rejects.toMatchObject(TIMEOUT);
    server.resume();
  });

  it('closes for good, after the replies to what has been sent', async () => {
    open();
    await ready();
    const ended = new Promise<void>((resolve) => connection.client.once('end', () => resolve()));
    const underWay = cache.read([REF], 'acme');
    await connection.close();
    expect(await underWay).toHaveLength(1);
    await expect(cache.read([REF], 'acme')).rejects.toMatchObject(UNAVAILABLE);
    await ended;
    expect(changes).toEqual(['up']);
  });

  it('closes even if it was never connected', async () => {
    await server.kill();
    open();
    await connection.close();
    await expect(cache.read([REF], 'acme')).rejects.toMatchObject(UNAVAILABLE);
  });
});

it('a connection finds a cluster through any of its nodes', async () => {
  const server = await startRedis({ cluster: true });
  const url = `redis://127.0.0.1:1,redis://127.0.0.1:${server.port}`;
  const connection = new RedisConnection({ url, isCluster: true, onChange: () => undefined });
  try {
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
    await connection.ping(PING_TIMEOUT_MS);
  } finally {
    await connection.close();
    await server.stop();
  }
});

it('a cluster whose nodes answer but take no commands is unavailable', async () => {
  const server = await startRedis({ cluster: true });
  const options = { url: server.url, isCluster: true, keys: new RedisKeys(true) };
  const connection = new RedisConnection({ ...options, onChange: () => undefined });
  const admin = new Redis(server.url);
  const LAST_SLOT = 16_383;
  const ping = () => connection.ping(PING_TIMEOUT_MS);
  const isUp = () =>
    ping().then(
      () => true,
      () => false,
    );
  try {
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
    await ping();
    // By default, Redis Cluster takes no command at all as soon as one slot is not served.
    await admin.cluster('DELSLOTS', LAST_SLOT);
    await until('it is down', async () => !(await isUp()));
    const cause = expect.objectContaining({ message: 'CLUSTERDOWN The cluster is down' }) as Error;
    await expect(ping()).rejects.toMatchObject({ ...UNAVAILABLE, cause });
    await admin.cluster('ADDSLOTS', LAST_SLOT);
    await until('it is up', isUp);
  } finally {
    admin.disconnect();
    await connection.close();
    await server.stop();
  }
});

describe('fitness for a journal', () => {
  let server: RedisServer;
  let connection: RedisConnection;

  beforeAll(async () => {
    server = await startRedis({ appendOnly: true });
    connection = new RedisConnection({ url: server.url, isCluster: false, onChange: () => undefined });
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });
  const set = (name: string, value: string) => connection.client.config('SET', name, value);

  it('is given if writes are kept, whatever else may be evicted', async () => {
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toBeUndefined();
    await set('maxmemory-policy', 'allkeys-lru');
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toBeUndefined();
    await set('maxmemory', '1gb');
    for (const policy of ['noeviction', 'volatile-lru', 'volatile-ttl']) {
      await set('maxmemory-policy', policy);
      expect(await connection.unfitness(PING_TIMEOUT_MS)).toBeUndefined();
    }
  });

  it('is not given if anything may be evicted, or if a restart loses writes', async () => {
    await set('maxmemory', '1gb');
    await set('maxmemory-policy', 'allkeys-lfu');
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toBe(
      'maxmemory-policy allkeys-lfu may evict writes that only Redis holds.',
    );
    await set('appendonly', 'no');
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toMatch(/^maxmemory-policy .* appendonly is off: .*\.$/);
    await set('maxmemory', '0');
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toBe(
      'appendonly is off: a restart loses writes that only Redis holds.',
    );
  });

  it('is unknown if the server does not report its settings', async () => {
    await set('appendonly', 'no');
    await connection.client.acl('SETUSER', 'default', '-info');
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toBe(
      'fitness unknown: whether the server keeps writes that only Redis holds cannot be seen, ' +
        'as INFO is refused (NOPERM). The ACL of the user needs +info.',
    );
    await connection.client.acl('SETUSER', 'default', '+info');
  });
});

describe('a connection to a cluster of several nodes', () => {
  let servers: RedisCluster;
  let connection: RedisConnection;

  beforeAll(async () => {
    servers = await startRedisCluster();
    const keys = new RedisKeys(true);
    connection = new RedisConnection({ url: servers.url, isCluster: true, keys, onChange: () => undefined });
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
  });
  afterAll(async () => {
    await connection?.close();
    await servers?.stop();
  });

  const masterStates = (client: Redis | Cluster) =>
    client instanceof Cluster ? client.nodes('master').map(({ status }) => status) : [];

  it('takes commands for all shards at once as soon as it is ready', async () => {
    const keys = new RedisKeys(true);
    const another = new RedisConnection({ url: servers.url, isCluster: true, onChange: () => undefined });
    try {
      another.connect();
      await another.waitUntilReady(READY_TIMEOUT_MS);
      const status = await new DeadLetters(another, keys).status();
      expect(status).toEqual({ waiting: 0, deadLetters: 0, oldest: [] });
    } finally {
      await another.close();
    }
  });

  it('is up while any of the nodes replies', async () => {
    const [one, ...others] = servers.nodes as [RedisServer, ...RedisServer[]];
    one.pause();
    try {
      for (let i = 0; i < 20; i++) await connection.ping(PING_TIMEOUT_MS);
      others.forEach((node) => node.pause());
      await expect(connection.ping(PING_TIMEOUT_MS)).rejects.toMatchObject({ name: 'StoreError', store: 'redis' });
    } finally {
      servers.nodes.forEach((node) => node.resume());
    }
    await until(
      'it answers again',
      async () =>
        connection.ping(PING_TIMEOUT_MS).then(
          () => true,
          () => false,
        ),
      20_000,
    );
  });

  it('continues with the shards that reply, and starts a generation when a node leaves or comes back', async () => {
    const keys = new RedisKeys(true);
    const cache = new RedisAttachmentCache(connection, keys, 60_000);
    const journal = new RedisAttachmentJournal(connection, keys, 60_000);
    const partsThatAnswer = async () => (await cache.cursors()).flatMap(({ parts }) => parts).length;
    // After the outage in the last test, no node may reply at first.
    const allAnswer = () =>
      partsThatAnswer().then(
        (count) => count === keys.shards.length,
        () => false,
      );
    await until('all nodes are connected', allAnswer);
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toMatch(/^appendonly is off/);
    await Promise.all(keys.shards.map((shard) => connection.client.rpush(keys.deadLetters(shard), 'a letter')));
    expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: keys.shards.length });
    const [node] = servers.nodes as [RedisServer];
    const { generation } = connection;

    await node.kill();
    await until('only some shards answer', async () => (await partsThatAnswer()) < keys.shards.length);
    expect(await partsThatAnswer()).toBeGreaterThan(0);
    expect(await journal.oldest()).toEqual([]);
    const rest = await partsThatAnswer();
    expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: rest });
    const incomplete = /^\d+ of 64 shards of the cluster are unavailable, with the writes that only they hold\. /;
    expect(await connection.unfitness(PING_TIMEOUT_MS)).toMatch(incomplete);
    await until('the node is missed', () => connection.generation > generation);

    const without = connection.generation;
    let readyNodes = 0;
    connection.onReady(() => (readyNodes += 1));
    await node.restart();
    await until('all nodes are back', async () => (await partsThatAnswer()) === keys.shards.length, 20_000);
    expect(readyNodes).toBeGreaterThan(0);
    expect(connection.generation).toBeGreaterThan(without);
  });

  it('connects to a master that it learns of before a command needs it, and does not wait for one that is gone', async () => {
    const [node] = servers.nodes as [RedisServer];
    const another = new RedisConnection({ url: servers.url, isCluster: true, onChange: () => undefined });
    await node.kill();
    try {
      another.connect();
      await another.waitUntilReady(READY_TIMEOUT_MS);
      expect(masterStates(another.client)).toEqual(['ready', 'ready']);
      const error: unknown = await new DeadLetters(another, new RedisKeys(true)).status().catch((e: unknown) => e);
      expect(error).toMatchObject(UNAVAILABLE);
      const cause = expect.objectContaining({ message: `connect ECONNREFUSED 127.0.0.1:${node.port}` }) as Error;
      expect(another.explained(error)).toMatchObject({ ...UNAVAILABLE, cause });
      // Nothing may be left out without a word.
      const reset = new CacheReset(another.client, new RedisKeys(true));
      await expect(reset.count()).rejects.toMatchObject(UNAVAILABLE);
      await expect(reset.run()).rejects.toMatchObject(UNAVAILABLE);
      await node.restart();
      // As the client does when a node replies that another one serves a slot.
      (another.client as Cluster).refreshSlotsCache();
      const all = servers.nodes.map(() => 'ready');
      await until('the node is connected', () => masterStates(another.client).join() === all.join());
    } finally {
      await another.close();
      await node.restart();
    }
  });
});

it('a Redis server that became a replica is unavailable for changes', async () => {
  const server = await startRedis();
  const connection = new RedisConnection({ url: server.url, isCluster: false, onChange: () => undefined });
  try {
    connection.connect();
    await connection.waitUntilReady(READY_TIMEOUT_MS);
    const cache = new RedisAttachmentCache(connection, new RedisKeys(false), 60_000);
    await connection.client.replicaof('127.0.0.1', 1);
    await expect(cache.readTask('t-1')).rejects.toMatchObject(UNAVAILABLE);
    await connection.client.replicaof('NO', 'ONE');
    await expect(cache.readTask('t-1')).resolves.toMatchObject({ deleted: false });
  } finally {
    await connection.close();
    await server.stop();
  }
});
