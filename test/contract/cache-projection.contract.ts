import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import type { AttachmentCache, ProjectionCursor } from '../../src/core/ports/attachment-cache';
import type { OutboxChange } from '../../src/core/ports/outbox';
import { ORGANIZATION, TaskInCache } from '../support/task-in-cache';
import type { AttachmentCacheHarness } from './attachment-cache.contract';

const HOUR_MS = 3_600_000;

export function putOf({ taskId, key, version, op }: Attachment) {
  return { kind: 'attachment', taskId, key, version, op, deleted: false } as const;
}

export function deletionOf(taskId: string, key: string, version: number) {
  return { kind: 'attachment', taskId, key, version, op: randomUUID(), deleted: true } as const;
}

export function taskDeletionOf(taskId: string, version: number) {
  return { kind: 'task-deleted', taskId, version } as const;
}

export async function cursorOf(cache: AttachmentCache): Promise<ProjectionCursor> {
  const [cursor] = await cache.cursors();
  return cursor as ProjectionCursor;
}

/** Projects the changes, and moves the cursor by ten. */
export async function project(cache: AttachmentCache, ...changes: readonly OutboxChange[]): Promise<void> {
  const from = await cursorOf(cache);
  await cache.project(from, changes, (from.position ?? 0) + 10);
}

export function describeCacheProjection(name: string, open: () => Promise<AttachmentCacheHarness>): void {
  describe(`projection into the attachment cache: ${name}`, () => {
    let harness: AttachmentCacheHarness;
    let cache: AttachmentCache;
    let task: TaskInCache;
    let floor: number;
    let known: Attachment;

    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());

    /** A task of which the cache knows everything. Its one attachment is `known`. */
    const openCache = async (ttlMs: number) => {
      await harness.empty();
      cache = harness.cache(ttlMs);
      task = new TaskInCache(cache);
      floor = await task.floor();
      known = task.sample('known', floor);
      await task.fill([known]);
    };
    beforeEach(() => openCache(HOUR_MS));

    const sample = (key: string, version: number) => task.sample(key, version);
    const deletion = (key: string, version: number) => deletionOf(task.id, key, version);
    const state = () => Promise.all([task.get('known'), task.keys(), task.floor()]);

    describe('of a change that the cache already knows', () => {
      it('changes nothing for the same put', async () => {
        await project(cache, putOf(known));
        expect(await state()).toEqual([known, ['known'], floor]);
      });

      it('changes nothing for an older put or deletion', async () => {
        await project(cache, putOf(sample('known', floor - 2)), deletion('known', floor - 1));
        expect(await state()).toEqual([known, ['known'], floor]);
      });

      it('forgets nothing for a deletion, but voids what was read before', async () => {
        const change = deletion('known', floor + 2);
        await cache.apply({ ...change, stamp: change, attachment: null });
        await project(cache, change);
        expect(await state()).toEqual([undefined, [], floor + 3]);
      });

      it('changes nothing for the deletion of the task', async () => {
        await cache.wipe(task.id, floor + 10);
        await project(cache, putOf(sample('late', floor + 12)), taskDeletionOf(task.id, floor + 10));
        expect(await cache.readTask(task.id)).toMatchObject({ deleted: true, token: { floor: floor + 10 } });
      });
    });

    describe('of a change that the cache missed', () => {
      it.each([
        ['an older attachment', () => putOf(sample('known', floor + 10)), 10],
        ['an attachment of the same version from another write', () => ({ ...putOf(known), op: randomUUID() }), 1],
        ['a deleted attachment', () => deletion('known', floor + 10), 10],
      ])('forgets %s, and that the list is complete', async (_, change, raise) => {
        await project(cache, change());
        expect(await state()).toEqual([undefined, undefined, floor + raise]);
      });

      it('forgets that the list is complete for a put of a new key, even an old put', async () => {
        await project(cache, putOf(sample('new', floor - 2)));
        expect(await state()).toEqual([known, undefined, floor + 1]);
      });

      it('raises the floor for every deletion of an absent attachment, because a fill may be bringing it', async () => {
        await project(cache, deletion('gone', floor + 10));
        expect(await state()).toEqual([known, ['known'], floor + 10]);
        await project(cache, deletion('gone', floor + 10), deletion('gone', floor + 4));
        expect(await state()).toEqual([known, ['known'], floor + 12]);
      });

      it('voids what was read before, and older puts', async () => {
        const { token } = await cache.readTask(task.id);
        await project(cache, putOf(sample('known', floor + 10)));
        const late = { taskId: task.id, organization: ORGANIZATION, token, withBodies: true, complete: true };
        await cache.fill([{ ...late, attachments: [known] }]);
        await task.apply(sample('known', floor + 8));
        expect(await task.get('known')).toBeUndefined();
        await task.fill([sample('known', floor + 10)]);
        expect(await task.keys()).toEqual(['known']);
      });

      it('applies the changes in their order', async () => {
        const [first, last] = [putOf(sample('known', floor + 4)), putOf(sample('known', floor + 8))];
        await project(cache, first, deletion('known', floor + 6), last);
        expect(await state()).toEqual([undefined, undefined, floor + 8]);
      });

      it('forgets a deleted task for good', async () => {
        await project(cache, taskDeletionOf(task.id, floor + 10), putOf(sample('late', floor + 12)));
        expect(await cache.readTask(task.id)).toMatchObject({ deleted: true });
        await task.fill([known]);
        expect(await state()).toEqual([undefined, undefined, floor + 10]);
      });
    });

    it('creates no task', async () => {
      const [deleted, changed] = [new TaskInCache(cache), new TaskInCache(cache)];
      const farAhead = 2 * floor;
      await project(cache, taskDeletionOf(deleted.id, farAhead), putOf(changed.sample('new', farAhead)));
      expect(await cache.readTask(deleted.id)).toMatchObject({ deleted: false });
      for (const one of [deleted, changed]) expect(await one.floor()).toBeLessThan(farAhead);
    });

    it('extends no lifetime', async () => {
      const ttlMs = 300;
      await openCache(ttlMs);
      await harness.elapse(ttlMs - 100);
      await project(cache, putOf(known), deletion('gone', floor + 10));
      await harness.elapse(200);
      expect((await cache.readTask(task.id)).organization).toBeUndefined();
    });

    it('changes many tasks, each by its own changes', async () => {
      const tasks = Array.from({ length: 30 }, () => new TaskInCache(cache));
      for (const one of tasks) await one.fill([one.sample('a', 2), one.sample('b', 2)]);
      const [deleted, ...others] = tasks as [TaskInCache, ...TaskInCache[]];
      const changes = others.map((one, i) => putOf(one.sample(i % 2 ? 'a' : 'b', 4)));
      await project(cache, ...changes, taskDeletionOf(deleted.id, 4));
      const refs = tasks.flatMap(({ id }) => ['a', 'b'].map((key) => ({ taskId: id, key })));
      const found = await cache.read(refs, ORGANIZATION);
      const left = refs.filter((_, i) => found[i]?.attachment);
      expect(left).toEqual(others.map(({ id }, i) => ({ taskId: id, key: i % 2 ? 'b' : 'a' })));
    });

    it('covers all changes of one transaction, however many there are', async () => {
      const all = Array.from({ length: 2500 }, (_, i) => sample(`k${i}`, floor));
      await task.fill([known, ...all]);
      await project(cache);
      await project(cache, ...all.map(({ key }) => putOf(sample(key, floor + 2))));
      const found = await cache.read([known, ...all], ORGANIZATION);
      expect(found.flatMap(({ attachment }) => attachment?.key ?? [])).toEqual(['known']);
      expect((await cursorOf(cache)).position).toBe(20);
    });

    describe('the cursor', () => {
      const change = () => putOf(sample('known', floor + 10));

      it('is unknown at first, then moves with the changes, and is returned to readers', async () => {
        const { token } = await cache.readTask(task.id);
        const before = await cursorOf(cache);
        expect(before).toMatchObject({ position: undefined, generation: token.generation });
        expect((await cache.readTask(task.id)).cursor).toBe(0);
        await cache.project(before, [], 7000);
        expect(await cache.cursors()).toEqual([{ ...before, position: 7000 }]);
        expect((await cache.readTask(task.id)).cursor).toBe(7000);
        expect((await task.read('known')).cursor).toBe(7000);
        expect((await task.page()).cursor).toBe(7000);
      });

      it('stays, and no change takes effect, if another replica has moved it', async () => {
        const before = await cursorOf(cache);
        await cache.project(before, [], 7000);
        await cache.project(before, [change()], 8000);
        await cache.project({ ...before, position: 6000 }, [change()], 8000);
        expect((await cursorOf(cache)).position).toBe(7000);
        expect(await task.get('known')).toEqual(known);
      });

      it('moves back if the outbox has, because then the database is another one', async () => {
        await cache.project(await cursorOf(cache), [], 7000);
        await cache.project(await cursorOf(cache), [change()], 10);
        expect((await cursorOf(cache)).position).toBe(10);
        expect(await task.get('known')).toBeUndefined();
      });
    });
  });
}
