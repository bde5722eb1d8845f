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
  /** A cache that is opened next knows nothing. */
  empty(): Promise<void>;
  nowMs(): number;
  /** Lets `ms` pass for the cache. */
  elapse(ms: number): Promise<void>;
  /** Undefined where a task is lost as a whole or not at all. */
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
    /** Of a task of which nothing is known. */
    const nothing = () => ({
      token: { floor: expect.any(Number) as number, generation },
      cursor: expect.any(Number) as number,
      deleted: false,
    });
    const keysOf = (page: CachedPage['page']) => page?.entries.map(({ key }) => key);
    /** A task of which the cache knows everything; versions above `floor` are news to it. */
    const completeTask = async (...attachments: Attachment[]) => {
      const floor = await floorOf();
      await fillWith(floor, attachments, { complete: true });
      return floor;
    };

    describe('what it is not told it does not know', () => {
      it('knows nothing of a new task', async () => {
        expect(await cache.read([{ taskId, key: 'a' }], ORGANIZATION)).toEqual([{ ...nothing(), journaled: false }]);
        expect((await cache.readTask(taskId)).organization).toBeUndefined();
        expect(await pageOf()).toBeUndefined();
      });

      it('gives a token above every version that may have been forgotten, and the same to all readers', async () => {
        const before = versionAt(harness.nowMs());
        const floors = await Promise.all([floorOf(), floorOf(), floorOf()]);
        expect(floors[0]).toBeGreaterThan(before);
        expect(floors[0]).toBeLessThan(versionAt(harness.nowMs() + 10_000));
        expect(new Set(floors).size).toBe(1);
      });

      it('answers references in their order, repeated and of several tasks', async () => {
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

      it('knows no attachment of a task for another organisation, and says whose the task is', async () => {
        await completeTask(sample('a', 2));
        const [found] = await cache.read([{ taskId, key: 'a' }], 'other');
        expect(found).toMatchObject({ organization: ORGANIZATION, attachment: undefined });
        expect(await pageOf({}, { organization: 'other' })).toBeUndefined();
        expect(await get('a')).toBeDefined();
      });

      it('answers no references with nothing', async () => {
        expect(await cache.read([], ORGANIZATION)).toEqual([]);
      });
    });

    describe('bodies', () => {
      it('gives every type back as it was, from a fill and from a put', async () => {
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

      it.each([0, false, '', null, [], {}, '\ud800'])('keeps the value %j', async (value) => {
        await completeTask(sample('v', 2, { type: 'json', value: JsonText.of(value) }));
        expect((await get('v'))?.value?.text).toBe(JSON.stringify(value));
      });

      it('keeps the text of a value to the letter', async () => {
        const text = '{"10":1.50,"2":1e2,"b":"\\u00e9\\/","a":{},"a":1}';
        await completeTask(sample('v', 2, { type: 'json', value: JsonText.restore(text) }));
        expect((await get('v'))?.value?.text).toBe(text);
        expect((await pageOf())?.entries[0]?.attachment?.value?.text).toBe(text);
      });

      it('keeps empty content', async () => {
        const empty = sample('empty', 2, { content: '' });
        await completeTask(empty);
        expect(await get('empty')).toEqual(empty);
        expect((await pageOf({ includeBodies: false }))?.entries[0]?.attachment?.bytes).toBe(0);
      });

      it('leaves nothing of the replaced type behind', async () => {
        const floor = await completeTask(sample('k', 2, { type: 'json', value: JsonText.of(1), size: 3 }));
        const replacement = sample('k', floor + 2, { type: 'url', url: 'https://example.org' });
        await put(replacement);
        const found = await get('k');
        expect(found).toEqual(replacement);
        expect([found?.value, found?.size, found?.bytes]).toEqual([undefined, undefined, undefined]);
      });

      it('pages without bodies: their lengths instead', async () => {
        const all = oneOfEachType(taskId).toSorted((a, b) => a.key.localeCompare(b.key));
        await completeTask(...all);
        const outlines = all.map(({ value: _value, content: _content, ...outline }) => outline);
        const found = (await pageOf({ includeBodies: false }))?.entries.map(({ attachment }) => attachment);
        expect(found).toEqual(outlines);
      });

      it.each(['a:b', 'task:x:control', '{x}', 'with space', 'ключ', '🙂', 'e\u0301', '__proto__', '*', '\'"\\'])(
        'takes the key %s',
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

    describe('versions', () => {
      it('goes forward only, in whatever order changes come', async () => {
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

      it('names the generation in which each change was made, and of nothing newer without a journal', async () => {
        const floor = await completeTask(sample('k', 2));
        const told = await put(sample('k', floor + 4));
        expect(told).toEqual({ generation });
        expect(await put(sample('k', floor + 2))).toEqual({ generation });
        expect(await remove('k', floor + 2)).toEqual({ generation });
      });

      it('takes no second change from the same version', async () => {
        const floor = await completeTask();
        const first = sample('k', floor + 2);
        await put(first);
        await put(first);
        await put({ ...first, content: 'another', op: randomUUID() });
        await remove('k', floor + 2);
        expect(await get('k')).toEqual(first);
        expect((await pageOf())?.totalCount).toBe(1);
      });

      it('does not let a put come back after a newer deletion', async () => {
        const floor = await completeTask(sample('k', 2));
        await remove('k', floor + 4);
        await put(sample('k', floor + 2));
        expect(await get('k')).toBeUndefined();
        await put(sample('k', floor + 100));
        expect((await get('k'))?.version).toBe(floor + 100);
      });

      it('takes a newer attachment from a fill', async () => {
        const floor = await completeTask(sample('k', 2));
        const newer = sample('k', 4);
        await fillWith(floor, [newer]);
        expect(await get('k')).toEqual(newer);
      });

      it('ignores changes to tasks that it knows nothing of', async () => {
        await put(sample('k', 2));
        await remove('k', 4);
        await cache.wipe(taskId, 6);
        expect(await cache.readTask(taskId)).toEqual(nothing());
        expect(await get('k')).toBeUndefined();
      });

      it('ends with the highest version of concurrent changes', async () => {
        const floor = await completeTask(sample('k', 2));
        const puts = Array.from({ length: 20 }, (_, i) => sample('k', floor + 2 + 2 * ((i * 7) % 20)));
        await Promise.all(puts.map(put));
        expect((await get('k'))?.version).toBe(floor + 40);
        expect((await pageOf())?.totalCount).toBe(1);
      });
    });

    describe('fills', () => {
      it('remembers the organisation', async () => {
        await fillWith(await floorOf(), []);
        expect((await cache.readTask(taskId)).organization).toBe(ORGANIZATION);
      });

      it('is void without the token', async () => {
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
      ])('is void after a %s', async (_, change) => {
        const floor = await completeTask();
        await change(floor);
        await fillWith(floor, [sample('k', 2)], { complete: true });
        expect(await get('k')).toBeUndefined();
        expect(keysOf(await pageOf()) ?? []).toEqual([]);
      });

      it('does not lose what a concurrent put has added', async () => {
        const floor = await floorOf();
        const [filled, added] = [sample('filled', 2), sample('added', floor + 2)];
        await put(added);
        await fillWith(floor, [filled], { complete: true });
        expect(keysOf(await pageOf())).toEqual(['added', 'filled']);
      });

      it('without bodies makes an index whose entries have no attachment until they are filled', async () => {
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

      it('without bodies keeps those that it has, and forgets those of older versions', async () => {
        const [same, old] = [sample('same', 2), sample('old', 2)];
        const floor = await completeTask(same, old);
        await fillWith(floor, [same, sample('old', 4)], { complete: true, withBodies: false });
        expect([await get('same'), await get('old')]).toEqual([same, undefined]);
      });
    });

    describe('pages', () => {
      it('come only where they are asked for', async () => {
        await completeTask(sample('a', 2));
        const found = await cache.readPage({ taskId, organization: ORGANIZATION, nowMs: harness.nowMs() });
        expect(found).toEqual({ ...nothing(), organization: ORGANIZATION, journaled: [] });
      });

      it('is not known until a complete fill', async () => {
        await fillWith(await floorOf(), [sample('a', 2)]);
        expect(await pageOf()).toBeUndefined();
        await fillWith(await floorOf(), [sample('b', 2)], { complete: true });
        expect(await pageOf()).toMatchObject({ totalCount: 2 });
      });

      it('knows an empty task', async () => {
        await completeTask();
        expect(await pageOf()).toEqual({ totalCount: 0, entries: [] });
      });

      it('is put together from chunks under one token', async () => {
        const all = Array.from({ length: 1200 }, (_, i) => sample(String(i).padStart(4, '0'), 2));
        const floor = await floorOf();
        for (let from = 0; from < 800; from += 400) await fillWith(floor, all.slice(from, from + 400));
        expect(await pageOf()).toBeUndefined();
        await fillWith(floor, all.slice(800), { complete: true });
        const page = await pageOf({ offset: 1150 });
        expect(page?.totalCount).toBe(1200);
        expect(page?.entries.map(({ attachment }) => attachment)).toEqual(all.slice(1150));
      });

      it('takes a whole large task in one fill', async () => {
        const all = Array.from({ length: 10_000 }, (_, i) => sample(String(i).padStart(5, '0'), 2));
        await completeTask(...all);
        expect(await pageOf({ offset: 9_990 })).toMatchObject({ totalCount: 10_000, entries: { length: 10 } });
      });

      it('stays known through puts and deletions', async () => {
        const floor = await completeTask(sample('a', 2), sample('b', 2));
        await put(sample('c', floor + 2));
        await put(sample('a', floor + 4));
        await remove('b', floor + 6);
        await remove('never there', floor + 8);
        expect(await pageOf()).toMatchObject({ totalCount: 2, entries: [{ key: 'a' }, { key: 'c' }] });
      });

      describe('that must hold changes', () => {
        const holds = async (...known: [key: string, version: number, deleted: boolean][]) => {
          const changes = known.map(([key, version, deleted]) => ({ key, version, deleted }));
          return (await pageOf({ known: changes })) !== undefined;
        };
        let floor: number;
        beforeEach(async () => {
          floor = await completeTask(sample('a', 2), sample('b', 2));
          await put(sample('a', floor + 4));
        });

        it('holds a put of this version or an older one', async () => {
          expect([await holds(['a', floor + 2, false]), await holds(['a', floor + 4, false])]).toEqual([true, true]);
          expect([await holds(['a', floor + 6, false]), await holds(['none', 2, false])]).toEqual([false, false]);
        });

        it('holds a deletion of what is not there, or of an older version', async () => {
          expect([await holds(['none', floor + 100, true]), await holds(['a', floor + 2, true])]).toEqual([true, true]);
          expect(await holds(['a', floor + 6, true])).toBe(false);
        });

        it('must hold all of them', async () => {
          expect(await holds(['a', 2, false], ['b', 2, false], ['none', 2, true])).toBe(true);
          expect(await holds(['a', floor + 6, false], ['b', 2, false], ['none', 2, true])).toBe(false);
        });
      });

      it('is forgotten by a put that may be older than what was forgotten, until the next complete fill', async () => {
        const floor = await completeTask(sample('a', 2));
        const late = sample('late', floor);
        await put(late);
        expect(await pageOf()).toBeUndefined();
        expect(await get('late')).toBeUndefined();
        expect(await get('a')).toBeDefined();
        await completeTask(sample('a', 2), late);
        expect(keysOf(await pageOf())).toEqual(['a', 'late']);
      });

      it('is not known once something in it has expired; the next complete fill leaves that out', async () => {
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

      it('orders by creation time, then by the bytes of the key', () =>
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
      it('forgets everything and stays deleted', async () => {
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

      it('leaves other tasks alone', async () => {
        const floor = await completeTask(sample('a', 2));
        await cache.readTask(`${taskId}0`);
        await cache.wipe(`${taskId}0`, floor + 2);
        expect(await get('a')).toBeDefined();
      });
    });

    it('forgets after its lifetime', async () => {
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

    it('never contradicts the store, however changes, fills and losses meet', () =>
      fc.assert(
        fc.asyncProperty(steps, async (schedule) => {
          taskId = `t-${randomUUID()}`;
          await new Schedule(cache, taskId, await floorOf(), harness.evict).run(schedule);
        }),
        { numRuns: 100 },
      ));
  });
}
