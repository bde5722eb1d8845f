import { versionAt } from '../../src/core/domain/version';
import { CacheModel } from '../support/cache-model/cache-model';
import { ModelAttachmentCache } from '../support/cache-model/model-attachment-cache';
import { describeAttachmentCache, type AttachmentCacheHarness } from './attachment-cache.contract';
import { describeCacheProjection } from './cache-projection.contract';

const SKEW_MS = 100;

describeAttachmentCache('model', () => Promise.resolve(modelHarness()));
describeCacheProjection('model', () => Promise.resolve(modelHarness()));

function modelHarness(): AttachmentCacheHarness {
  const models: CacheModel[] = [];
  let now = Date.UTC(2026, 0, 2);
  const nowMs = () => now;
  const newFloor = () => versionAt(now + SKEW_MS);
  const elapse = (ms: number) => {
    now += ms;
    return Promise.resolve();
  };
  const evictFromAll = (evict: (model: CacheModel) => void) => {
    models.forEach(evict);
    // A floor is exact to the millisecond. After one more, every committed version lies below the next floor.
    return elapse(1);
  };
  return {
    cache: (ttlMs) => {
      const model = new CacheModel({ ttlMs, nowMs, newFloor });
      models.push(model);
      return new ModelAttachmentCache(model);
    },
    // Every opened cache has a new model.
    empty: () => Promise.resolve(),
    nowMs,
    elapse,
    evict: {
      body: (taskId, key) => evictFromAll((model) => model.evictHash(taskId, key)),
      index: (taskId) => evictFromAll((model) => model.evictIndex(taskId)),
      indexEntry: (taskId, key) => evictFromAll((model) => model.evictIndexEntry(taskId, key)),
      control: (taskId) => evictFromAll((model) => model.evictControl(taskId)),
    },
    close: () => Promise.resolve(),
  };
}
