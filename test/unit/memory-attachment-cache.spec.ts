import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { putChange, type ProjectionCursor } from '../../src/core/ports/attachment-cache';
import type { OutboxChange } from '../../src/core/ports/outbox';
import { MemoryAttachmentCache } from '../../src/outbound/memory/memory-attachment-cache';
import { sampleAttachment } from '../support/sample-attachment';

const TTL_MS = 1000;
const KIB = 1024;

describe('bounds of the attachment cache in memory', () => {
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

  it('forgets the task that was used longest ago when there are too many', async () => {
    const cache = open(2, KIB ** 2);
    for (const taskId of ['t-1', 't-2']) await fill(cache, taskId, ['x']);
    await cache.readTask('t-1');
    await fill(cache, 't-3', ['x']);
    expect(await page(cache, 't-1')).toBeDefined();
    expect(await page(cache, 't-2')).toBeUndefined();
  });

  it('forgets the bodies that were used longest ago when they are too large together', async () => {
    const cache = open(10, 100 * KIB);
    await fill(
      cache,
      't-1',
      Array.from({ length: 5 }, () => 'ü'.repeat(15 * KIB)),
    );
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

  it('forgets the task that was used longest ago when all have too many records together', async () => {
    const cache = open(10, 100 * KIB);
    const contents = Array.from({ length: 60 }, () => '');
    for (const taskId of ['t-1', 't-2']) await fill(cache, taskId, contents);
    expect(await page(cache, 't-1')).toBeUndefined();
    expect(await page(cache, 't-2')).toBeDefined();
  });

  it('begins a lifetime anew with every change, and not with a read', async () => {
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

describe('projection into the attachment cache in memory', () => {
  const ORGANIZATION = 'acme';
  const taskId = 't-1';
  let nowMs: number;
  let cache: MemoryAttachmentCache;
  let floor: number;
  let known: Attachment;

  const open = (isStoreShared: boolean) => {
    const limits = { ttlMs: TTL_MS, maxTasks: 10, maxBytes: KIB ** 2 };
    return new MemoryAttachmentCache({ nowMs: () => nowMs }, { ...limits, isStoreShared });
  };
  const sample = (key: string, version: number) => sampleAttachment({ taskId, key, version });
  const fill = async (...attachments: Attachment[]) => {
    const { token } = await cache.readTask(taskId);
    await cache.fill([{ taskId, organization: ORGANIZATION, token, attachments, withBodies: true, complete: true }]);
  };
  const put = ({ key, version, op }: Attachment) => {
    return { kind: 'attachment', taskId, key, version, op, deleted: false } as const;
  };
  const deletion = (key: string, version: number) => {
    return { kind: 'attachment', taskId, key, version, op: randomUUID(), deleted: true } as const;
  };
  const taskDeletion = (version: number) => ({ kind: 'task-deleted', taskId, version }) as const;
  const cursor = async () => (await cache.cursors())[0] as ProjectionCursor;
  const project = async (...changes: OutboxChange[]) => {
    const from = await cursor();
    await cache.project(from, changes, (from.position ?? 0) + 10);
  };
  const get = async (key: string) => (await cache.read([{ taskId, key }], ORGANIZATION))[0]?.attachment;
  const keys = async () => {
    const page = { limit: 10, offset: 0, descending: false, includeBodies: true, known: [] };
    const found = await cache.readPage({ taskId, organization: ORGANIZATION, nowMs, page });
    return found.page?.entries.map(({ key }) => key);
  };
  /** `known`, the keys where all are known, and the floor. */
  const state = async () => [await get('known'), await keys(), (await cache.readTask(taskId)).token.floor];

  /** A task of which the cache knows everything: `known`. */
  beforeEach(async () => {
    nowMs = Date.UTC(2026, 0, 1);
    cache = open(true);
    floor = (await cache.readTask(taskId)).token.floor;
    known = sample('known', floor);
    await fill(known);
  });

  describe('of a change that the cache has been told of', () => {
    it('changes nothing: the same put, an older put, an older deletion', async () => {
      await project(put(known), put(sample('known', floor - 2)), deletion('known', floor - 1));
      expect(await state()).toEqual([known, ['known'], floor]);
    });

    it('forgets nothing for a deletion, but voids what was read before', async () => {
      const version = floor + 2;
      await cache.apply({ taskId, key: 'known', stamp: { version, op: randomUUID() }, attachment: null });
      await project(deletion('known', version));
      expect(await state()).toEqual([undefined, [], version + 1]);
    });

    it('changes nothing: the deletion of the task', async () => {
      await cache.wipe(taskId, floor + 10);
      await project(put(sample('late', floor + 12)), taskDeletion(floor + 10));
      expect(await cache.readTask(taskId)).toMatchObject({ deleted: true, token: { floor: floor + 10 } });
    });
  });

  describe('of a change that the cache missed', () => {
    it.each([
      ['an older attachment', () => put(sample('known', floor + 10)), 10],
      ['an attachment of the same version from another write', () => ({ ...put(known), op: randomUUID() }), 1],
      ['what was deleted', () => deletion('known', floor + 10), 10],
    ])('forgets %s, and that all are known', async (_, change, raise) => {
      await project(change());
      expect(await state()).toEqual([undefined, undefined, floor + raise]);
    });

    it('forgets that all are known: a put of a new key, even an old one', async () => {
      await project(put(sample('new', floor - 2)));
      expect(await state()).toEqual([known, undefined, floor + 1]);
    });

    it('raises the floor for the deletion of what is not there, each time: a fill may be bringing it', async () => {
      await project(deletion('gone', floor + 10));
      expect(await state()).toEqual([known, ['known'], floor + 10]);
      await project(deletion('gone', floor + 10), deletion('gone', floor + 4));
      expect(await state()).toEqual([known, ['known'], floor + 12]);
    });

    it('voids what was read before, and puts that are older', async () => {
      const { token } = await cache.readTask(taskId);
      await project(put(sample('known', floor + 10)));
      const late = { taskId, organization: ORGANIZATION, token, withBodies: true, complete: true };
      await cache.fill([{ ...late, attachments: [known] }]);
      await cache.apply(putChange(sample('known', floor + 8)));
      expect(await get('known')).toBeUndefined();
      await fill(sample('known', floor + 10));
      expect(await keys()).toEqual(['known']);
    });

    it('takes the changes in their order', async () => {
      await project(put(sample('known', floor + 4)), deletion('known', floor + 6), put(sample('known', floor + 8)));
      expect(await state()).toEqual([undefined, undefined, floor + 8]);
    });

    it('forgets a deleted task, for good', async () => {
      await project(taskDeletion(floor + 10), put(sample('late', floor + 12)));
      await fill(known);
      expect(await cache.readTask(taskId)).toMatchObject({ deleted: true });
      expect(await state()).toEqual([undefined, undefined, floor + 10]);
    });
  });

  it('invents no task', async () => {
    const fresh = await cache.readTask('t-fresh');
    await project({ ...taskDeletion(floor + 10), taskId: 't-2' }, { ...put(known), taskId: 't-3' });
    for (const id of ['t-2', 't-3']) expect(await cache.readTask(id)).toEqual({ ...fresh, cursor: 10 });
  });

  it('prolongs no lifetime', async () => {
    nowMs += TTL_MS;
    await project(put(known), deletion('gone', floor + 10));
    expect(await keys()).toEqual(['known']);
    nowMs += 1;
    expect(await keys()).toBeUndefined();
  });

  describe('the cursor', () => {
    const change = () => put(sample('known', floor + 10));

    it('is not known at first, then goes with the changes, and is told to readers', async () => {
      expect(await cache.cursors()).toEqual([{ position: undefined, session: 0, parts: [0] }]);
      expect((await cache.readTask(taskId)).cursor).toBe(0);
      await cache.project(await cursor(), [], 7000);
      expect(await cache.cursors()).toEqual([{ position: 7000, session: 0, parts: [0] }]);
      expect((await cache.readTask(taskId)).cursor).toBe(7000);
      expect((await cache.read([{ taskId, key: 'known' }], ORGANIZATION))[0]?.cursor).toBe(7000);
      expect(await cache.readPage({ taskId, organization: ORGANIZATION, nowMs })).toMatchObject({ cursor: 7000 });
    });

    it('stays, and so does everything, where it has been moved', async () => {
      const before = await cursor();
      await cache.project(before, [], 7000);
      await cache.project(before, [change()], 8000);
      await cache.project({ ...before, position: 6000 }, [change()], 8000);
      expect((await cursor()).position).toBe(7000);
      expect(await get('known')).toEqual(known);
    });

    it('goes back where the outbox has: its database is another one', async () => {
      await cache.project(await cursor(), [], 7000);
      await cache.project(await cursor(), [change()], 10);
      expect((await cursor()).position).toBe(10);
      expect(await get('known')).toBeUndefined();
    });

    it('is not needed where nobody else writes to the store', async () => {
      cache = open(false);
      expect(await cache.cursors()).toEqual([]);
      expect((await cache.readTask(taskId)).cursor).toBe(Infinity);
    });
  });
});
