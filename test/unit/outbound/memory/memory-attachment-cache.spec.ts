import { putChange } from '../../../../src/core/ports/attachment-cache';
import { MemoryAttachmentCache } from '../../../../src/outbound/memory/memory-attachment-cache';
import { sampleAttachment } from '../../../support/sample-attachment';

const TTL_MS = 1000;
const KIB = 1024;

describe('the attachment cache in memory', () => {
  let nowMs: number;
  const clock = { nowMs: () => nowMs };
  const open = (maxTasks: number, maxBytes: number) =>
    new MemoryAttachmentCache(clock, { ttlMs: TTL_MS, maxTasks, maxBytes, isStoreShared: false });
  const fill = async (cache: MemoryAttachmentCache, taskId: string, contents: readonly string[]) => {
    const attachments = contents.map((content, i) => sampleAttachment({ taskId, key: `k${i}`, content }));
    const { token } = await cache.readTask(taskId);
    await cache.fill([{ taskId, organization: 'acme', token, attachments, withBodies: true, complete: true }]);
  };
  const page = async (cache: MemoryAttachmentCache, taskId: string) => {
    const whole = { limit: 100, offset: 0, descending: false, includeBodies: true, known: [] };
    return (await cache.readPage({ taskId, organization: 'acme', nowMs, page: whole })).page;
  };

  beforeEach(() => {
    nowMs = Date.UTC(2026, 0, 1);
  });

  it('forgets the least recently used task if there are too many tasks', async () => {
    const cache = open(2, KIB ** 2);
    for (const taskId of ['t-1', 't-2']) await fill(cache, taskId, ['x']);
    await cache.readTask('t-1');
    await fill(cache, 't-3', ['x']);
    expect(await page(cache, 't-1')).toBeDefined();
    expect(await page(cache, 't-2')).toBeUndefined();
  });

  it('forgets the least recently used bodies if they are too large together', async () => {
    const cache = open(10, 100 * KIB);
    await fill(
      cache,
      't-1',
      Array.from({ length: 5 }, () => 'ü'.repeat(15 * KIB)),
    );
    const entries = (await page(cache, 't-1'))?.entries;
    expect(entries?.map(({ attachment }) => attachment !== undefined)).toEqual([false, false, true, true, true]);
  });

  it('counts urls as bodies', async () => {
    const cache = open(10, 10 * KIB);
    const url = `https://example.org/${'x'.repeat(2 * KIB)}`;
    const attachments = Array.from({ length: 5 }, (_, i) =>
      sampleAttachment({ taskId: 't-1', key: `k${i}`, type: 'url', url }),
    );
    const { token } = await cache.readTask('t-1');
    await cache.fill([{ taskId: 't-1', organization: 'acme', token, attachments, withBodies: true, complete: true }]);
    const entries = (await page(cache, 't-1'))?.entries;
    expect(entries?.map(({ attachment }) => attachment !== undefined)).toEqual([false, false, true, true, true]);
  });

  it('forgets a task that has too many records', async () => {
    const cache = open(10, 100 * KIB);
    await fill(
      cache,
      't-1',
      Array.from({ length: 101 }, () => ''),
    );
    expect(await page(cache, 't-1')).toBeUndefined();
  });

  it('forgets the least recently used task if all tasks together have too many records', async () => {
    const cache = open(10, 100 * KIB);
    const contents = Array.from({ length: 60 }, () => '');
    for (const taskId of ['t-1', 't-2']) await fill(cache, taskId, contents);
    expect(await page(cache, 't-1')).toBeUndefined();
    expect(await page(cache, 't-2')).toBeDefined();
  });

  it('starts a lifetime again with every change, but not with a read', async () => {
    const cache = open(10, KIB ** 2);
    await fill(cache, 't-1', ['x']);
    nowMs += TTL_MS;
    const { token } = await cache.readTask('t-1');
    await cache.apply(putChange(sampleAttachment({ taskId: 't-1', key: 'k1', version: token.floor + 2 })));
    nowMs += TTL_MS;
    expect((await page(cache, 't-1'))?.entries.map(({ attachment }) => attachment?.key)).toEqual([undefined, 'k1']);
    nowMs += 1;
    expect(await page(cache, 't-1')).toBeUndefined();
  });
});

it('the attachment cache in memory needs no projection if no other process writes to the store', async () => {
  const cache = new MemoryAttachmentCache(
    { nowMs: () => 0 },
    { ttlMs: TTL_MS, maxTasks: 1, maxBytes: KIB, isStoreShared: false },
  );
  expect(await cache.cursors()).toEqual([]);
  expect((await cache.readTask('t-1')).cursor).toBe(Infinity);
});
