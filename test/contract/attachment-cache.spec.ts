import { MemoryAttachmentCache } from '../../src/outbound/memory/memory-attachment-cache';
import { openRedisHarness } from '../support/redis-cache-harness';
import { describeAttachmentCache, type AttachmentCacheHarness } from './attachment-cache.contract';
import { describeCacheProjection } from './cache-projection.contract';

describeAttachmentCache('memory, over a store of its own', () => Promise.resolve(memoryHarness(false)));
describeAttachmentCache('memory, over a store that is shared', () => Promise.resolve(memoryHarness(true)));
describeAttachmentCache('Redis', () => openRedisHarness({ isCluster: false }));
describeAttachmentCache('Redis Cluster', () => openRedisHarness({ isCluster: true }));

describeCacheProjection('memory', () => Promise.resolve(memoryHarness(true)));
describeCacheProjection('Redis', () => openRedisHarness({ isCluster: false }));
describeCacheProjection('Redis Cluster', () => openRedisHarness({ isCluster: true }));

function memoryHarness(isStoreShared: boolean): AttachmentCacheHarness {
  const limits = { maxTasks: 10_000, maxBytes: 1024 ** 3 };
  let nowMs = Date.UTC(2026, 0, 2);
  const clock = { nowMs: () => nowMs };
  return {
    cache: (ttlMs) => new MemoryAttachmentCache(clock, { ttlMs, ...limits, isStoreShared }),
    // Every opened cache is new and knows nothing.
    empty: () => Promise.resolve(),
    ...clock,
    elapse: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}
