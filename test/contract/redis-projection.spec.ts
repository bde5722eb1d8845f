import type { Attachment } from '../../src/core/domain/attachment';
import type { ProjectionCursor } from '../../src/core/ports/attachment-cache';
import type { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import type { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { settleOne, TaskInJournal } from '../support/task-in-journal';
import { cursorOf, deletionOf, project, putOf, taskDeletionOf } from './cache-projection.contract';

const HOUR_MS = 3_600_000;

describe.each([
  ['one server', false],
  ['a cluster', true],
])('projection into the cache in Redis on %s', (_, isCluster) => {
  let harness: RedisCacheHarness;
  let cache: RedisAttachmentCache;
  let journal: RedisAttachmentJournal;
  let task: TaskInJournal;
  let floor: number;
  let known: Attachment;

  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster });
    cache = harness.cache(HOUR_MS);
    journal = harness.journal(HOUR_MS);
  });
  afterAll(() => harness?.close());
  /** A task of which the cache knows everything. Its one attachment is `known`. */
  beforeEach(async () => {
    await harness.empty();
    task = new TaskInJournal(cache, journal);
    floor = await task.floor();
    known = task.sample('known', floor);
    await task.fill([known]);
  });

  const sample = (key: string, version: number) => task.sample(key, version);
  const settle = async () => settleOne(journal, await task.head(), { state: 'applied' });
  const state = () => Promise.all([task.get('known'), task.keys(), task.floor()]);

  describe('over journaled writes', () => {
    it('changes nothing for the same put, drained or not', async () => {
      const journaled = await task.appendPut('new', floor + 2);
      await project(cache, putOf(journaled));
      await settle();
      await project(cache, putOf(journaled));
      expect(await task.get('new')).toEqual(journaled);
      expect(await task.keys()).toEqual(['known', 'new']);
    });

    it('keeps a newer put and a newer deletion', async () => {
      const newer = await task.appendPut('new', floor + 10);
      await task.appendDeletion('known', floor + 10);
      const older = [putOf(sample('new', floor + 4)), putOf(sample('known', floor + 4))];
      await project(cache, ...older, deletionOf(task.id, 'new', floor + 6));
      expect(await task.get('new')).toEqual(newer);
      expect(await task.keys()).toEqual(['new']);
    });

    it('forgets an older put, but keeps its entry', async () => {
      await task.appendPut('known', floor + 2);
      await project(cache, putOf(sample('known', floor + 4)));
      expect(await state()).toEqual([undefined, undefined, floor + 4]);
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
      expect(await harness.client.pttl(harness.keys.control(task.id))).toBe(-1);
    });

    it.each([false, true])('forgets an older deletion (drained: %p)', async (drained) => {
      await task.appendDeletion('known', floor + 2);
      if (drained) await settle();
      await project(cache, putOf(sample('known', floor + 4)));
      expect(await state()).toEqual([undefined, undefined, floor + 4]);
      expect((await task.read('known')).deletedVersion).toBeUndefined();
      expect((await task.apply(sample('known', floor + 1))).newer).toBeUndefined();
    });

    it('forgets a put with its task, but keeps its entry', async () => {
      await task.appendPut('new', floor + 2);
      await project(cache, taskDeletionOf(task.id, floor + 10));
      expect(await task.get('new')).toBeUndefined();
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
    });
  });

  it('removes the body together with the record', async () => {
    await project(cache, putOf(sample('known', floor + 10)));
    expect(await harness.client.exists(harness.keys.attachment(known))).toBe(0);
  });

  it('leaves nothing behind for a task that is not known', async () => {
    const other = new TaskInJournal(cache, journal);
    await project(cache, taskDeletionOf(other.id, 2), putOf(other.sample('new', 4)));
    expect(await harness.client.exists(harness.keys.control(other.id))).toBe(0);
  });

  it('extends no lifetime, not even of a deleted task', async () => {
    const control = harness.keys.control(task.id);
    await harness.client.pexpire(control, 60_000);
    await project(cache, putOf(known), putOf(sample('new', floor + 4)));
    await project(cache, taskDeletionOf(task.id, floor + 10));
    expect(await harness.client.pttl(control)).toBeLessThanOrEqual(60_000);
  });

  describe('the cursor', () => {
    const change = () => putOf(sample('known', floor + 10));
    const cursorName = () => harness.keys.cursor(harness.keys.shardOf(task.id));

    it('covers all shards, and has no lifetime', async () => {
      expect((await cursorOf(cache)).parts).toEqual(harness.keys.shards);
      await project(cache);
      expect((await cursorOf(cache)).parts).toEqual(harness.keys.shards);
      expect(await harness.client.pttl(cursorName())).toBe(-1);
    });

    it('counts as moved if it is lost', async () => {
      await project(cache);
      const before = await cursorOf(cache);
      await harness.client.del(cursorName());
      await cache.project(before, [change()], 8000);
      expect(await task.get('known')).toEqual(known);
      expect((await cache.readTask(task.id)).cursor).toBe(0);
    });

    it.each<[string, (name: string) => Promise<unknown>]>([
      ['text', (name) => harness.client.set(name, 'x')],
      ['not an integer', (name) => harness.client.set(name, '-1')],
      ['a number that is too large', (name) => harness.client.set(name, '99999999999999999999')],
      ['a list', (name) => harness.client.rpush(name, '7000')],
    ])('is unknown if it is %s, until the next projection', async (__, corrupt) => {
      await corrupt(cursorName());
      const cursors = await cache.cursors();
      expect(cursors.every(({ position }) => position === undefined)).toBe(true);
      expect((await cache.readTask(task.id)).cursor).toBe(0);
      await project(cache, change());
      expect((await cursorOf(cache)).position).toBe(10);
      expect(await task.get('known')).toBeUndefined();
    });
  });
});

it('shards of a cluster are grouped by the position of their cursor, all or those that are asked for', async () => {
  const harness = await openRedisHarness({ isCluster: true });
  try {
    const cache = harness.cache(HOUR_MS);
    const [all] = (await cache.cursors()) as [ProjectionCursor];
    await cache.project({ ...all, parts: [3, 5] }, [], 7000);
    await cache.project({ ...all, parts: [4] }, [], 8000);
    const others = harness.keys.shards.filter((shard) => ![3, 4, 5].includes(shard));
    const found = (await cache.cursors()).map(({ position, parts }) => [position, parts]);
    expect(found).toEqual([
      [undefined, others],
      [7000, [3, 5]],
      [8000, [4]],
    ]);
    const ofSome = (await cache.cursors([4, 5, 6])).map(({ position, parts }) => [position, parts]);
    expect(ofSome).toEqual([
      [8000, [4]],
      [7000, [5]],
      [undefined, [6]],
    ]);
  } finally {
    await harness.close();
  }
});
