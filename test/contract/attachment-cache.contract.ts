import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Attachment } from '../../src/core/domain/attachment';
import { JsonText } from '../../src/core/domain/json-text';
import { versionAt } from '../../src/core/domain/version';
import {
  putChange,
  type AttachmentCache,
  type CachedPage,
  type PageRequest,
} from '../../src/core/ports/attachment-cache';
import { oneOfEachType, sampleAttachment } from '../support/sample-attachment';
import { Schedule, steps, type Eviction } from './attachment-cache-schedule';

export interface AttachmentCacheHarness {
  cache(ttlMs: number): AttachmentCache;
  /** A cache that is opened after this call knows nothing. */
  empty(): Promise<void>;
  nowMs(): number;
  /** Lets `ms` pass for the cache. */
  elapse(ms: number): Promise<void>;
  /** Undefined if a task can only be lost as a whole, or not at all. */
  readonly evict?: Eviction;
  close(): Promise<void>;
}

const ORGANIZATION = 'acme';
const HOUR_MS = 3_600_000;

export function describeAttachmentCache(name: string, open: () => Promise<AttachmentCacheHarness>): void {
  describe(`attachment cache: ${name}`, () => {
    let harness: AttachmentCacheHarness;
    let cache: AttachmentCache;
    let taskId: string;
    let generation: number;

    beforeAll(async () => {
      harness = await open();
      cache = harness.cache(HOUR_MS);
      ({ generation } = (await cache.readTask(`t-${randomUUID()}`)).token);
    });
    afterAll(() => harness?.close());
    beforeEach(() => {
      taskId = `t-${randomUUID()}`;
    });

    const sample = (key: string, version: number, members: Partial<Attachment> = {}) =>
      sampleAttachment({ taskId, key, version, ...members });
    const floorOf = async (id = taskId) => (await cache.readTask(id)).token.floor;
    const get = async (key: string) => (await cache.read([{ taskId, key }], ORGANIZATION))[0]?.attachment;
    const put = (attachment: Attachment) => cache.apply(putChange(attachment));
    const remove = (key: string, version: number) =>
      cache.apply({ taskId, key, stamp: { version, op: randomUUID() }, attachment: null });
    const fillWith = (
      floor: number,
      attachments: readonly Attachment[],
      { complete = false, withBodies = true } = {},
    ) => {
      const token = { floor, generation };
      return cache.fill([{ taskId, organization: ORGANIZATION, token, attachments, withBodies, complete }]);
    };
    const pageOf = async (
      page: Partial<PageRequest['page']> = {},
      { organization = ORGANIZATION, nowMs = harness.nowMs() } = {},
    ): Promise<CachedPage['page']> => {
      const whole = { limit: 100, offset: 0, descending: false, includeBodies: true, known: [], ...page };
      return (await cache.readPage({ taskId, organization, nowMs, page: whole })).page;
    };
    /** The reply for a task of which the cache knows nothing. */
    const nothing = () => ({
      token: { floor: expect.any(Number) as number, generation },
      cursor: expect.any(Number) as number,
      deleted: false,
    });
    const keysOf = (page: CachedPage['page']) => page?.entries.map(({ key }) => key);
    /** A task of which the cache knows everything. A version above `floor` is new to it. */
    const completeTask = async (...attachments: Attachment[]) => {
      const floor = await floorOf();
      await fillWith(floor, attachments, { complete: true });
      return floor;
    };

    describe('a read', () => {
      it('returns nothing for a new task', async () => {
        expect(await cache.read([{ taskId, key: 'a' }], ORGANIZATION)).toEqual([{ ...nothing(), journaled: false }]);
        expect((await cache.readTask(taskId)).organization).toBeUndefined();
        expect(await pageOf()).toBeUndefined();
      });

      it('of a task that has just been created finds what was put to it at once', async () => {
        const { token } = await cache.readTask(taskId);
        const fill = { taskId, organization: ORGANIZATION, token, attachments: [], withBodies: true, complete: true };
        await cache.fill([{ ...fill, isNewTask: true }]);
        const [put, deleted] = [sample('a', versionAt(harness.nowMs())), sample('b', versionAt(harness.nowMs()))];
        for (const one of [put, deleted]) await cache.apply(putChange(one));
        expect(keysOf(await pageOf())).toEqual(['a', 'b']);

        const stamp = { version: deleted.version + 2, op: randomUUID() };
        await cache.apply({ taskId, key: 'b', stamp, attachment: null });
        await cache.apply(putChange(deleted));
        expect((await cache.read([{ taskId, key: 'b' }], ORGANIZATION))[0]?.attachment).toBeUndefined();
        expect((await cache.readTask(taskId)).token.floor).not.toBe(token.floor);
      });

      it('gives no token that was given before the task was created', async () => {
        const { token } = await cache.readTask(taskId);
        const fill = { taskId, organization: ORGANIZATION, token, attachments: [], withBodies: true, complete: true };
        await cache.fill([{ ...fill, isNewTask: true }]);
        // The floor would rise to the very value of the first token.
        const stamp = { version: token.floor, op: randomUUID() };
        await cache.apply({ taskId, key: 'a', stamp, attachment: null });
        await cache.fill([{ ...fill, attachments: [sample('a', 2)] }]);
        expect((await cache.read([{ taskId, key: 'a' }], ORGANIZATION))[0]?.attachment).toBeUndefined();
      });

      it('returns a fill token above every version that may have been forgotten, the same to all readers', async () => {
        const before = versionAt(harness.nowMs());
        const floors = await Promise.all([floorOf(), floorOf(), floorOf()]);
        expect(floors[0]).toBeGreaterThan(before);
        expect(floors[0]).toBeLessThan(versionAt(harness.nowMs() + 10_000));
        expect(new Set(floors).size).toBe(1);
      });

      it('returns attachments in the order of the references, with repetitions and across tasks', async () => {
        const other = `t-${randomUUID()}`;
        const [a, b] = [sample('a', 2), sampleAttachment({ taskId: other, key: 'a', version: 4 })];
        const tokens = [(await cache.readTask(taskId)).token, (await cache.readTask(other)).token] as const;
        const whole = { organization: ORGANIZATION, withBodies: true, complete: false };
        await cache.fill([
          { ...whole, taskId, token: tokens[0], attachments: [a] },
          { ...whole, taskId: other, token: tokens[1], attachments: [b] },
        ]);
        const refs = [b, sample('none', 2), a, b].map(({ taskId: id, key }) => ({ taskId: id, key }));
        const found = await cache.read(refs, ORGANIZATION);
        expect(found.map(({ attachment }) => attachment)).toEqual([b, undefined, a, b]);
      });

      it('returns no attachment to another organisation, but says which organisation owns the task', async () => {
        await completeTask(sample('a', 2));
        const [found] = await cache.read([{ taskId, key: 'a' }], 'other');
        expect(found).toMatchObject({ organization: ORGANIZATION, attachment: undefined });
        expect(await pageOf({}, { organization: 'other' })).toBeUndefined();
        expect(await get('a')).toBeDefined();
      });

      it('returns nothing for no references', async () => {
        expect(await cache.read([], ORGANIZATION)).toEqual([]);
      });
    });

    describe('bodies', () => {
      it('of every type are returned as they were, after a fill and after a put', async () => {
        const all = oneOfEachType(taskId);
        const floor = await completeTask(...all);
        const refs = all.map(({ key }) => ({ taskId, key }));
        expect((await cache.read(refs, ORGANIZATION)).map(({ attachment }) => attachment)).toEqual(all);

        const overwritten = all.map((attachment, i) => ({
          ...attachment,
          version: floor + 2 + 2 * i,
          op: randomUUID(),
        }));
        for (const attachment of overwritten) await put(attachment);
        expect((await cache.read(refs, ORGANIZATION)).map(({ attachment }) => attachment)).toEqual(overwritten);
        expect((await pageOf())?.entries.map(({ attachment }) => attachment)).toEqual(
          overwritten.toSorted((a, b) => a.key.localeCompare(b.key)),
        );
      });

      it.each([0, false, '', null, [], {}, '\ud800'])('keep the JSON value %j', async (value) => {
        await completeTask(sample('v', 2, { type: 'json', value: JsonText.of(value) }));
        expect((await get('v'))?.value?.text).toBe(JSON.stringify(value));
      });

      it('keep the text of a JSON value character for character', async () => {
        const text = '{"10":1.50,"2":1e2,"b":"\\u00e9\\/","a":{},"a":[1e400,9007199254740993]}';
        await completeTask(sample('v', 2, { type: 'json', value: JsonText.restore(text) }));
        expect((await get('v'))?.value?.text).toBe(text);
        expect((await pageOf())?.entries[0]?.attachment?.value?.text).toBe(text);
      });

      it('keep empty content', async () => {
        const empty = sample('empty', 2, { content: '' });
        await completeTask(empty);
        expect(await get('empty')).toEqual(empty);
        expect((await pageOf({ includeBodies: false }))?.entries[0]?.attachment?.bytes).toBe(0);
      });

      it('leave nothing behind of a replaced attachment of another type', async () => {
        const floor = await completeTask(sample('k', 2, { type: 'json', value: JsonText.of(1), size: 3 }));
        const replacement = sample('k', floor + 2, { type: 'url', url: 'https://example.org' });
        await put(replacement);
        const found = await get('k');
        expect(found).toEqual(replacement);
        expect([found?.value, found?.size, found?.bytes]).toEqual([undefined, undefined, undefined]);
      });

      it('are replaced by their lengths on a page without bodies', async () => {
        const all = oneOfEachType(taskId).toSorted((a, b) => a.key.localeCompare(b.key));
        await completeTask(...all);
        const outlines = all.map(({ value: _value, content: _content, ...outline }) => outline);
        const found = (await pageOf({ includeBodies: false }))?.entries.map(({ attachment }) => attachment);
        expect(found).toEqual(outlines);
      });

      it.each(['a:b', 'task:x:control', '{x}', 'with space', 'ключ', '🙂', 'e\u0301', '__proto__', '*', '\'"\\'])(
        'are stored, listed and deleted under the key %s',
        async (key) => {
          const floor = await completeTask(sample(key, 2));
          expect((await get(key))?.key).toBe(key);
          expect(keysOf(await pageOf())).toEqual([key]);
          await remove(key, floor + 2);
          expect(await get(key)).toBeUndefined();
          expect(keysOf(await pageOf())).toEqual([]);
        },
      );
    });

    describe('changes', () => {
      it('never replace a newer version, in whatever order they arrive', async () => {
        const floor = await completeTask();
        const [older, newer] = [sample('k', floor + 2), sample('k', floor + 4)];
        await put(newer);
        await put(older);
        expect(await get('k')).toEqual(newer);
        await remove('k', floor + 2);
        expect(await get('k')).toEqual(newer);
        await fillWith(await floorOf(), [older]);
        expect(await get('k')).toEqual(newer);
      });

      it('learn the generation in which they were made, and of nothing newer without a journal', async () => {
        const floor = await completeTask(sample('k', 2));
        const told = await put(sample('k', floor + 4));
        expect(told).toEqual({ generation });
        expect(await put(sample('k', floor + 2))).toEqual({ generation });
        expect(await remove('k', floor + 2)).toEqual({ generation });
      });

      it('of one version take effect only once', async () => {
        const floor = await completeTask();
        const first = sample('k', floor + 2);
        await put(first);
        await put(first);
        await put({ ...first, content: 'another', op: randomUUID() });
        await remove('k', floor + 2);
        expect(await get('k')).toEqual(first);
        expect((await pageOf())?.totalCount).toBe(1);
      });

      it('that are older than a deletion do not bring the attachment back', async () => {
        const floor = await completeTask(sample('k', 2));
        await remove('k', floor + 4);
        await put(sample('k', floor + 2));
        expect(await get('k')).toBeUndefined();
        await put(sample('k', floor + 100));
        expect((await get('k'))?.version).toBe(floor + 100);
      });

      it('that arrive with a fill replace an older version', async () => {
        const floor = await completeTask(sample('k', 2));
        const newer = sample('k', 4);
        await fillWith(floor, [newer]);
        expect(await get('k')).toEqual(newer);
      });

      it('of a task that is not known have no effect', async () => {
        await put(sample('k', 2));
        await remove('k', 4);
        await cache.wipe(taskId, 6);
        expect(await cache.readTask(taskId)).toEqual(nothing());
        expect(await get('k')).toBeUndefined();
      });

      it('that are made at the same time leave the highest version', async () => {
        const floor = await completeTask(sample('k', 2));
        const puts = Array.from({ length: 20 }, (_, i) => sample('k', floor + 2 + 2 * ((i * 7) % 20)));
        await Promise.all(puts.map(put));
        expect((await get('k'))?.version).toBe(floor + 40);
        expect((await pageOf())?.totalCount).toBe(1);
      });
    });

    describe('fills', () => {
      it('store the organisation of the task', async () => {
        await fillWith(await floorOf(), []);
        expect((await cache.readTask(taskId)).organization).toBe(ORGANIZATION);
      });

      it('have no effect without the current token', async () => {
        const given = await floorOf();
        await fillWith(given - 1, [sample('k', 2)], { complete: true });
        await fillWith(given + 1, [sample('k', 2)], { complete: true });
        expect(await get('k')).toBeUndefined();
        expect((await cache.readTask(taskId)).organization).toBeUndefined();
      });

      it.each<[string, (floor: number) => Promise<unknown>]>([
        ['deletion', (floor) => remove('k', floor + 2)],
        ['deletion at or below the floor', (floor) => remove('k', floor)],
        ['put at or below the floor', (floor) => put(sample('k', floor))],
        ['deletion of the task', (floor) => cache.wipe(taskId, floor + 2)],
      ])('have no effect after a %s', async (_, change) => {
        const floor = await completeTask();
        await change(floor);
        await fillWith(floor, [sample('k', 2)], { complete: true });
        expect(await get('k')).toBeUndefined();
        expect(keysOf(await pageOf()) ?? []).toEqual([]);
      });

      it('keep what a concurrent put has added', async () => {
        const floor = await floorOf();
        const [filled, added] = [sample('filled', 2), sample('added', floor + 2)];
        await put(added);
        await fillWith(floor, [filled], { complete: true });
        expect(keysOf(await pageOf())).toEqual(['added', 'filled']);
      });

      it('without bodies build an index whose entries have no attachment until bodies are filled in', async () => {
        const [a, b] = [sample('a', 2), sample('b', 2)];
        const floor = await floorOf();
        await fillWith(floor, [a, b], { complete: true, withBodies: false });
        expect(await pageOf()).toEqual({
          totalCount: 2,
          entries: [
            { key: 'a', attachment: undefined },
            { key: 'b', attachment: undefined },
          ],
        });
        expect(await get('a')).toBeUndefined();
        await fillWith(floor, [b]);
        expect((await pageOf())?.entries).toEqual([
          { key: 'a', attachment: undefined },
          { key: 'b', attachment: b },
        ]);
      });

      it('without bodies keep the bodies of the same version, and remove those of older versions', async () => {
        const [same, old] = [sample('same', 2), sample('old', 2)];
        const floor = await completeTask(same, old);
        await fillWith(floor, [same, sample('old', 4)], { complete: true, withBodies: false });
        expect([await get('same'), await get('old')]).toEqual([same, undefined]);
      });
    });

    describe('pages', () => {
      it('are returned only if they are requested', async () => {
        await completeTask(sample('a', 2));
        const found = await cache.readPage({ taskId, organization: ORGANIZATION, nowMs: harness.nowMs() });
        expect(found).toEqual({ ...nothing(), organization: ORGANIZATION, journaled: [] });
      });

      it('are not known until a complete fill', async () => {
        await fillWith(await floorOf(), [sample('a', 2)]);
        expect(await pageOf()).toBeUndefined();
        await fillWith(await floorOf(), [sample('b', 2)], { complete: true });
        expect(await pageOf()).toMatchObject({ totalCount: 2 });
      });

      it('are known for an empty task', async () => {
        await completeTask();
        expect(await pageOf()).toEqual({ totalCount: 0, entries: [] });
      });

      it('are assembled from several fills under one token', async () => {
        const all = Array.from({ length: 1200 }, (_, i) => sample(String(i).padStart(4, '0'), 2));
        const floor = await floorOf();
        for (let from = 0; from < 800; from += 400) await fillWith(floor, all.slice(from, from + 400));
        expect(await pageOf()).toBeUndefined();
        await fillWith(floor, all.slice(800), { complete: true });
        const page = await pageOf({ offset: 1150 });
        expect(page?.totalCount).toBe(1200);
        expect(page?.entries.map(({ attachment }) => attachment)).toEqual(all.slice(1150));
      });

      it('are known after one fill of a whole large task', async () => {
        const all = Array.from({ length: 10_000 }, (_, i) => sample(String(i).padStart(5, '0'), 2));
        await completeTask(...all);
        expect(await pageOf({ offset: 9_990 })).toMatchObject({ totalCount: 10_000, entries: { length: 10 } });
      });

      it('stay known through puts and deletions', async () => {
        const floor = await completeTask(sample('a', 2), sample('b', 2));
        await put(sample('c', floor + 2));
        await put(sample('a', floor + 4));
        await remove('b', floor + 6);
        await remove('never there', floor + 8);
        expect(await pageOf()).toMatchObject({ totalCount: 2, entries: [{ key: 'a' }, { key: 'c' }] });
      });

      describe('that must include changes', () => {
        const holds = async (...known: [key: string, version: number, deleted: boolean][]) => {
          const changes = known.map(([key, version, deleted]) => ({ key, version, deleted }));
          return (await pageOf({ known: changes })) !== undefined;
        };
        let floor: number;
        beforeEach(async () => {
          floor = await completeTask(sample('a', 2), sample('b', 2));
          await put(sample('a', floor + 4));
        });

        it('are returned if they have the version of a put or a newer one', async () => {
          expect([await holds(['a', floor + 2, false]), await holds(['a', floor + 4, false])]).toEqual([true, true]);
          expect([await holds(['a', floor + 6, false]), await holds(['none', 2, false])]).toEqual([false, false]);
        });

        it('are returned if the attachment of a deletion is absent or newer', async () => {
          expect([await holds(['none', floor + 100, true]), await holds(['a', floor + 2, true])]).toEqual([true, true]);
          expect(await holds(['a', floor + 6, true])).toBe(false);
        });

        it('are returned only if they include all changes', async () => {
          expect(await holds(['a', 2, false], ['b', 2, false], ['none', 2, true])).toBe(true);
          expect(await holds(['a', floor + 6, false], ['b', 2, false], ['none', 2, true])).toBe(false);
        });
      });

      it('become unknown after a put that may be older than a forgotten version, until the next complete fill', async () => {
        const floor = await completeTask(sample('a', 2));
        const late = sample('late', floor);
        await put(late);
        expect(await pageOf()).toBeUndefined();
        expect(await get('late')).toBeUndefined();
        expect(await get('a')).toBeDefined();
        await completeTask(sample('a', 2), late);
        expect(keysOf(await pageOf())).toEqual(['a', 'late']);
      });

      it('become unknown when an attachment on them expires, until the next complete fill leaves it out', async () => {
        const nowMs = harness.nowMs();
        const [stays, expired] = [sample('stays', 2), sample('expired', 2, { expiresAtMs: nowMs - 1000 })];
        const longer = sample('longer', 2, { expiresAtMs: nowMs + HOUR_MS });
        const floor = await completeTask(stays, longer);
        await put({ ...expired, version: floor + 2 });
        expect(keysOf(await pageOf({}, { nowMs: nowMs - 1001 }))).toEqual(['expired', 'longer', 'stays']);
        expect(await pageOf({}, { nowMs: nowMs - 1000 })).toBeUndefined();
        expect(await get('expired')).toMatchObject({ expiresAtMs: nowMs - 1000 });

        await completeTask(stays, longer);
        expect(keysOf(await pageOf())).toEqual(['longer', 'stays']);
        expect(await pageOf({}, { nowMs: nowMs + HOUR_MS })).toBeUndefined();
        await put({ ...expired, version: floor + 2 });
        expect(await get('expired')).toBeUndefined();
      });

      const key = fc.oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }),
        fc.constantFrom('a', 'A', 'a:', 'a b', '{a}', 'é', 'e\u0301', '\uffe6', '🙂', '\u{10ffff}', '\ue000', 'Z', 'z'),
      );
      const listed = fc.uniqueArray(fc.record({ key, createdAtMs: fc.integer({ min: 0, max: 3 }) }), {
        selector: (entry) => entry.key,
        maxLength: 12,
      });
      const range = { limit: fc.integer({ min: 1, max: 8 }), offset: fc.integer({ min: 0, max: 13 }) };

      it('are ordered by creation time, then by the bytes of the key', () =>
        fc.assert(
          fc.asyncProperty(listed, fc.record({ ...range, descending: fc.boolean() }), async (entries, request) => {
            taskId = `t-${randomUUID()}`;
            await completeTask(...entries.map((entry) => sample(entry.key, 2, { createdAtMs: entry.createdAtMs })));
            const ordered = entries.toSorted(
              (a, b) => a.createdAtMs - b.createdAtMs || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)),
            );
            if (request.descending) ordered.reverse();
            const { offset, limit } = request;
            const page = await pageOf(request);
            expect(page?.totalCount).toBe(entries.length);
            expect(keysOf(page)).toEqual(ordered.slice(offset, offset + limit).map((entry) => entry.key));
          }),
          { numRuns: 60 },
        ));
    });

    describe('deleted tasks', () => {
      it('lose everything and stay deleted', async () => {
        const floor = await completeTask(sample('a', 2), sample('b', 2));
        await cache.wipe(taskId, floor + 4);
        expect(await cache.readTask(taskId)).toMatchObject({ deleted: true });
        expect(await cache.read([{ taskId, key: 'a' }], ORGANIZATION)).toMatchObject([
          { deleted: true, attachment: undefined },
        ]);
        expect(await pageOf()).toBeUndefined();

        const after = await floorOf();
        await put(sample('a', floor + 100));
        expect(await get('a')).toBeUndefined();
        await remove('a', floor + 102);
        expect(await floorOf()).toBe(after);
        await fillWith(after, [sample('a', floor + 100)], { complete: true });
        expect(await get('a')).toBeUndefined();
        expect(await pageOf()).toBeUndefined();
        await cache.wipe(taskId, floor + 4);
        expect(await cache.read([{ taskId, key: 'a' }], ORGANIZATION)).toMatchObject([
          { deleted: true, attachment: undefined },
        ]);
        expect(await pageOf()).toBeUndefined();
      });

      it('leave other tasks as they are', async () => {
        const floor = await completeTask(sample('a', 2));
        await cache.readTask(`${taskId}0`);
        await cache.wipe(`${taskId}0`, floor + 2);
        expect(await get('a')).toBeDefined();
      });
    });

    it('forgets a task when its lifetime ends', async () => {
      const brief = harness.cache(300);
      const { token: given } = await brief.readTask(taskId);
      const attachments = [sample('a', 2)];
      await brief.fill([
        { taskId, organization: ORGANIZATION, token: given, attachments, withBodies: true, complete: true },
      ]);
      expect((await brief.readTask(taskId)).organization).toBe(ORGANIZATION);
      const isForgotten = async () => (await brief.readTask(taskId)).organization === undefined;
      for (let waitedMs = 0; waitedMs < 10_000 && !(await isForgotten()); waitedMs += 50) await harness.elapse(50);
      expect(await isForgotten()).toBe(true);
      expect((await brief.read([{ taskId, key: 'a' }], ORGANIZATION))[0]?.attachment).toBeUndefined();
    });

    it('never contradicts the store, for any sequence of changes, fills and evictions', () =>
      fc.assert(
        fc.asyncProperty(steps, async (schedule) => {
          taskId = `t-${randomUUID()}`;
          await new Schedule(cache, taskId, await floorOf(), harness.evict).run(schedule);
        }),
        { numRuns: 100 },
      ));
  });
}
