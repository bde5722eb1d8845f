import type { Cluster, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { RedisEpoch } from '../../src/outbound/redis/redis-epoch';
import { RedisKeys } from '../../src/outbound/redis/redis-keys';
import type { Eviction } from '../contract/attachment-cache-schedule';
import { startRedis, type RedisServer } from './redis-server';

export interface RedisCacheHarness {
  readonly server: RedisServer;
  readonly connection: RedisConnection;
  readonly client: Redis | Cluster;
  readonly keys: RedisKeys;
  readonly epoch: RedisEpoch;
  readonly evict: Eviction;
  cache(ttlMs: number): RedisAttachmentCache;
  journal(ttlMs: number): RedisAttachmentJournal;
  /** Nothing is known any more, whatever has been opened. */
  empty(): Promise<void>;
  nowMs(): number;
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** A cache on a Redis of its own. */
export async function openRedisHarness({ isCluster }: { isCluster: boolean }): Promise<RedisCacheHarness> {
  const server = await startRedis({ cluster: isCluster });
  const connection = new RedisConnection({ url: server.url, isCluster, onChange: () => undefined });
  const close = async () => {
    await connection.close();
    await server.stop();
  };
  connection.connect();
  await connection.waitUntilReady(10_000).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const { client } = connection;
  const keys = new RedisKeys(isCluster);
  const epoch = new RedisEpoch(connection);
  return {
    server,
    connection,
    client,
    keys,
    evict: evictionFrom(client, keys),
    epoch,
    cache: (ttlMs) => new RedisAttachmentCache(connection, keys, ttlMs, epoch),
    journal: (ttlMs) => new RedisAttachmentJournal(connection, keys, ttlMs, undefined, epoch),
    empty: async () => void (await client.flushall()),
    nowMs: () => Date.now(),
    elapse: (ms) => sleep(ms),
    close,
  };
}

function evictionFrom(client: Redis | Cluster, keys: RedisKeys): Eviction {
  return {
    body: async (taskId, key) => void (await client.del(keys.attachment({ taskId, key }))),
    index: async (taskId) => void (await client.del(keys.index(taskId))),
    indexEntry: async (taskId, key) => void (await client.zrem(keys.index(taskId), key)),
    control: async (taskId) => {
      await client.del(keys.control(taskId));
      // A floor is exact to the millisecond, and what was committed lies in an earlier one.
      await sleep(2);
    },
  };
}
