import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { ATTACHMENT_TYPES, type Attachment, type AttachmentDraft } from '../../src/core/domain/attachment';
import { attachmentExpired, ofStored } from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import { MAX_ATTACHMENTS_PER_TASK, MAX_KEY_LENGTH } from '../../src/core/domain/limits';
import type { AttachmentListQuery } from '../../src/core/ports/attachment-store';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import {
  aDeletion,
  aPut,
  aTask,
  deleteTree,
  drainOne,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type StoreHarness,
} from './attachment-store.harness';
import { describeLateWrites } from './attachment-store-late-writes.contract';
import { describePutsTogether } from './attachment-store-together.contract';

const LATER_MS = NOW_MS + 10_000;

export function describeAttachmentStore(name: string, open: () => Promise<StoreHarness>): void {
  describe(`AttachmentStore ${name}`, () => {
    let harness: StoreHarness;
    let taskId: string;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());
    beforeEach(async () => {
      taskId = (await storedTask(harness)).id;
    });

    const put = (
      one: AttachmentPut,
      { condition, nowMs = NOW_MS }: { condition?: { ifAbsent: true } | { ifVersion: number }; nowMs?: number } = {},
    ) => harness.attachments.put(one, ORGANIZATION, condition, nowMs, TIMEOUT_MS);
    const remove = (key: string, version: number, nowMs = NOW_MS) =>
      harness.attachments.delete(aDeletion(taskId, key, version), ORGANIZATION, undefined, nowMs, TIMEOUT_MS);
    const announced = async () => (await harness.eventsOf(taskId)).slice(1);
    const list = (query: Partial<AttachmentListQuery> = {}) => {
      const defaults = { keyPrefix: '', limit: 100, offset: 0, descending: false, includeBodies: true, nowMs: NOW_MS };
      return harness.attachments.list({ taskId, organization: ORGANIZATION, ...defaults, ...query }, TIMEOUT_MS);
    };

    const outlines = (id = taskId, nowMs = NOW_MS) =>
      harness.attachments.outlines({ taskId: id, organization: ORGANIZATION, nowMs }, TIMEOUT_MS);

    describe('an attachment that is put', () => {
      const bodies: Omit<AttachmentDraft, 'taskId' | 'key'>[] = [
        { type: 'markdown', content: '# Größe 𝒳\n' },
        { type: 'markdown', content: '' },
        { type: 'text', content: `'); DROP TABLE tasks; -- \\ " $1` },
        { type: 'url', url: 'https://example.org/ä?b=1#c' },
        { type: 'binary', mimeType: 'application/pdf', size: 2 ** 52, url: 'https://example.org/a.pdf' },
        { type: 'binary', mimeType: 'image/png' },
        {
          type: 'json',
          value: JsonText.of({ a: 1 }),
          mimeType: 'application/json',
          size: 1,
          ttlSeconds: 3_000_000_000,
        },
      ];
      it.each(bodies.map((body) => [JSON.stringify(body), body] as const))(
        'is returned as it was: %s',
        async (_, body) => {
          const { attachment, event } = aPut({ taskId, ...body }, { version: 2 ** 53 - 2 });
          await expect(put({ attachment, event })).resolves.toEqual({
            state: 'applied',
            replaced: false,
            identity: { id: attachment.id, createdAtMs: attachment.createdAtMs, createdBy: attachment.createdBy },
          });
          expect(await found(harness, taskId)).toEqual(attachment);
          expect((await list())?.attachments).toEqual([attachment]);
        },
      );

      const texts = [
        'null',
        'false',
        '0',
        '""',
        '[]',
        '{}',
        '-0',
        '1.0',
        '1E2',
        '[1e400,-1e400,1e-400,1e99999]',
        '[9007199254740993,-123456789012345678901234567890]',
        `[${'9'.repeat(400)},0.${'1'.repeat(400)}]`,
        '{"2":1,"1":2,"b":3,"a":4}',
        '{"a":1,"a":2}',
        String.raw`"\u0000 \ud800 \u00e9 \/ \" \\ é 𝒳"`,
        String.raw`{"\u0000":["\udfff"]}`,
        `"${'x'.repeat(100_000)}"`,
        `${'['.repeat(64)}${']'.repeat(64)}`,
      ];
      it.each(texts.map((text) => [text.slice(0, 40), text]))('keeps the text of its value: %s', async (_, text) => {
        await put(aPut({ taskId, type: 'json', value: JsonText.fromValid(text) }));
        expect((await found(harness, taskId))?.value?.text).toBe(text);
        expect((await list())?.attachments[0]?.value?.text).toBe(text);
      });

      it('keeps any JSON value', async () => {
        let version = 1000;
        const values = fc
          .json({ maxDepth: 4 })
          .map((text) => JsonText.fromValid(text))
          .filter((value) => value.problem() === undefined);
        await fc.assert(
          fc.asyncProperty(values, async (value) => {
            await put(aPut({ taskId, type: 'json', value }, { version: (version += 2) }));
            expect((await found(harness, taskId))?.value?.text).toBe(value.text);
          }),
          { numRuns: 30 },
        );
      });

      it.each(['a:b', '%_\\', 'a/b', '{x}', '键', '😀', "'", ' ', '\u00a0', 'k'.repeat(100)])(
        'is found under the key %j and no other',
        async (key) => {
          await put(aPut({ taskId, key }));
          expect(await found(harness, taskId, key)).toMatchObject({ taskId, key });
          expect(await found(harness, taskId, `${key}x`)).toBeUndefined();
        },
      );

      it('is announced once, as a new attachment', async () => {
        const one = aPut({ taskId });
        await put(one);
        expect(await announced()).toEqual([one.event]);
      });
    });

    describe('a put over a live attachment', () => {
      it('replaces everything except the identity', async () => {
        const first = aPut({ taskId, type: 'binary', mimeType: 'image/png', size: 7, url: 'https://example.org/' });
        await put(first);
        const { id, createdAtMs, createdBy } = first.attachment;
        const identity = { id, createdAtMs, createdBy };
        const second = aPut({ taskId, type: 'text', content: '2' }, { version: 1002, nowMs: LATER_MS, by: 'bob' });

        await expect(put(second)).resolves.toEqual({ state: 'applied', identity, replaced: true });
        expect(await found(harness, taskId)).toEqual({ ...second.attachment, ...identity });
        expect(await announced()).toEqual([first.event, ofStored(second.event, id)]);
      });

      it.each([1000, 998])('is superseded unless its version is higher: %d after 1000', async (version) => {
        const first = aPut({ taskId }, { version: 1000 });
        await put(first);
        await expect(put(aPut({ taskId }, { version }))).resolves.toEqual({ state: 'superseded', version: 1000 });
        expect(await found(harness, taskId)).toEqual(first.attachment);
        expect(await announced()).toEqual([first.event]);
      });

      it('leaves the highest version, in whatever order puts arrive', async () => {
        const puts = [1008, 1002, 1010, 1004, 1006].map((version) => aPut({ taskId }, { version }));
        const outcomes = await Promise.all(puts.map((one) => put(one)));
        expect(await found(harness, taskId)).toMatchObject({ version: 1010 });
        const applied = puts.filter((_, i) => outcomes[i]?.state === 'applied').map((one) => one.attachment.op);
        const events = await announced();
        expect(events.map(({ metadata }) => metadata.eventId).sort()).toEqual(applied.sort());
        const versions = events.map(({ metadata }) => metadata['version'] as number);
        expect(versions).toEqual([...versions].sort((a, b) => a - b));
      });
    });

    describe('a deletion', () => {
      it('leaves nothing to be found, and is announced with the id of the deleted attachment', async () => {
        const one = aPut({ taskId });
        await put(one);
        const deletion = aDeletion(taskId, 'k', 1002);
        await expect(
          harness.attachments.delete(deletion, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS),
        ).resolves.toEqual({
          state: 'applied',
          attachmentId: one.attachment.id,
        });
        expect(await found(harness, taskId)).toBeUndefined();
        expect(await list()).toEqual({ attachments: [], totalCount: 0 });
        expect(await announced()).toEqual([one.event, ofStored(deletion.event, one.attachment.id)]);
      });

      it('on condition of a version deletes that version and no other', async () => {
        const condition = { ifVersion: 1000 };
        const removeIf = (version: number, nowMs = NOW_MS) =>
          harness.attachments.delete(aDeletion(taskId, 'k', version), ORGANIZATION, condition, nowMs, TIMEOUT_MS);
        await expect(removeIf(1001)).resolves.toEqual({ state: 'condition-failed', currentVersion: null });
        const one = aPut({ taskId }, { version: 1002 });
        await put(one);
        await expect(removeIf(1004)).resolves.toEqual({ state: 'condition-failed', currentVersion: 1002 });
        expect(await found(harness, taskId)).toEqual(one.attachment);
        expect(await announced()).toHaveLength(1);

        condition.ifVersion = 1002;
        await expect(removeIf(1000)).resolves.toEqual({ state: 'superseded', version: 1002 });
        await expect(removeIf(1004)).resolves.toEqual({ state: 'applied', attachmentId: one.attachment.id });
        expect(await found(harness, taskId)).toBeUndefined();
        await expect(removeIf(1006)).resolves.toEqual({ state: 'condition-failed', currentVersion: null });
      });

      it('finds nothing the second time, or if nothing was ever there', async () => {
        await put(aPut({ taskId }));
        await remove('k', 1002);
        await expect(remove('k', 1004)).resolves.toEqual({ state: 'attachment-missing' });
        await expect(remove('k', 1)).resolves.toEqual({ state: 'attachment-missing' });
        await expect(remove('other', 1004)).resolves.toEqual({ state: 'attachment-missing' });
        expect(await announced()).toHaveLength(2);
      });

      it.each([1000, 998])('is superseded unless its version is higher: %d after 1000', async (version) => {
        await put(aPut({ taskId }, { version: 1000 }));
        await expect(remove('k', version)).resolves.toEqual({ state: 'superseded', version: 1000 });
        expect(await found(harness, taskId)).toBeDefined();
        expect(await announced()).toHaveLength(1);
      });

      it('is not undone by an older put that arrives late', async () => {
        await put(aPut({ taskId }, { version: 1000 }));
        await remove('k', 1004);
        await expect(put(aPut({ taskId }, { version: 1002 }))).resolves.toEqual({ state: 'superseded', version: 1004 });
        await expect(put(aPut({ taskId }, { version: 1004 }))).resolves.toEqual({ state: 'superseded', version: 1004 });
        expect(await found(harness, taskId)).toBeUndefined();
      });

      it('makes room for a new attachment under the key', async () => {
        await put(aPut({ taskId }, { version: 1000 }));
        await remove('k', 1002);
        const second = aPut({ taskId }, { version: 1004, nowMs: LATER_MS, by: 'bob' });
        await expect(put(second)).resolves.toMatchObject({ state: 'applied', replaced: false });
        expect(await found(harness, taskId)).toEqual(second.attachment);
        expect((await announced())[2]).toEqual(second.event);
        expect(await list()).toMatchObject({ totalCount: 1 });
      });
    });

    describe('a condition', () => {
      const ifAbsent = { condition: { ifAbsent: true } } as const;
      const ifVersion = (version: number) => ({ condition: { ifVersion: version } });

      it('ifAbsent holds if nothing is there, or a deleted attachment', async () => {
        await expect(put(aPut({ taskId }), ifAbsent)).resolves.toMatchObject({ state: 'applied' });
        await remove('k', 1002);
        await expect(put(aPut({ taskId }, { version: 1004 }), ifAbsent)).resolves.toMatchObject({ state: 'applied' });
      });

      it('ifAbsent fails with the live version, whatever the version of the put', async () => {
        await put(aPut({ taskId }));
        const refusal = { state: 'condition-failed', currentVersion: 1000 };
        await expect(put(aPut({ taskId }, { version: 1002 }), ifAbsent)).resolves.toEqual(refusal);
        await expect(put(aPut({ taskId }, { version: 2 }), ifAbsent)).resolves.toEqual(refusal);
        expect(await announced()).toHaveLength(1);
      });

      it('ifAbsent does not override a newer tombstone', async () => {
        await put(aPut({ taskId }));
        await remove('k', 1004);
        const outcome = put(aPut({ taskId }, { version: 1002 }), ifAbsent);
        await expect(outcome).resolves.toEqual({ state: 'superseded', version: 1004 });
      });

      it('ifVersion holds for the live version only', async () => {
        await put(aPut({ taskId }));
        const second = aPut({ taskId }, { version: 1002 });
        await expect(put(second, ifVersion(998))).resolves.toEqual({ state: 'condition-failed', currentVersion: 1000 });
        await expect(put(second, ifVersion(1000))).resolves.toMatchObject({ state: 'applied', replaced: true });
        expect(await announced()).toHaveLength(2);
      });

      it('ifVersion fails without a version if nothing is there, or a deleted attachment', async () => {
        const refusal = { state: 'condition-failed', currentVersion: null };
        await expect(put(aPut({ taskId }), ifVersion(1000))).resolves.toEqual(refusal);
        await put(aPut({ taskId }));
        await remove('k', 1002);
        await expect(put(aPut({ taskId }, { version: 1004 }), ifVersion(1002))).resolves.toEqual(refusal);
      });

      it('admits exactly one of many simultaneous writers', async () => {
        const puts = Array.from({ length: 8 }, (_, i) => put(aPut({ taskId }, { version: 1000 + 2 * i }), ifAbsent));
        const states = (await Promise.all(puts)).map(({ state }) => state);
        expect(states.filter((state) => state === 'applied')).toHaveLength(1);
        expect(states.filter((state) => state === 'condition-failed')).toHaveLength(7);
        expect(await announced()).toHaveLength(1);
      });
    });

    describe('an expired attachment', () => {
      const EXPIRES_MS = NOW_MS + 5000;
      let first: AttachmentPut;
      beforeEach(async () => {
        first = aPut({ taskId, type: 'text', content: '1', ttlSeconds: 5 });
        await put(first);
      });

      it('is live until its expiry, to the millisecond', async () => {
        expect(await found(harness, taskId, 'k', EXPIRES_MS - 1)).toEqual(first.attachment);
        expect(await found(harness, taskId, 'k', EXPIRES_MS)).toBeUndefined();
      });

      it('appears in no list and no count', async () => {
        const other = aPut({ taskId, key: 'other' });
        await put(other);
        expect(await list({ nowMs: EXPIRES_MS - 1 })).toMatchObject({ totalCount: 2 });
        expect(await list({ nowMs: EXPIRES_MS })).toEqual({ attachments: [other.attachment], totalCount: 1 });
        expect(await list({ nowMs: EXPIRES_MS, type: 'text' })).toEqual({ attachments: [], totalCount: 0 });
        expect(await outlines(taskId, EXPIRES_MS)).toHaveLength(1);
        expect((await harness.tasks.get(taskId, ORGANIZATION, EXPIRES_MS, TIMEOUT_MS))?.attachmentCount).toBe(1);
      });

      it('counts as absent for a put, which creates a new attachment', async () => {
        const second = aPut({ taskId }, { version: 1002, nowMs: EXPIRES_MS, by: 'bob' });
        const condition = { ifAbsent: true } as const;
        await expect(put(second, { condition, nowMs: EXPIRES_MS })).resolves.toMatchObject({ replaced: false });
        expect(await found(harness, taskId, 'k', EXPIRES_MS)).toEqual(second.attachment);
        expect(await list({ nowMs: EXPIRES_MS })).toMatchObject({ totalCount: 1 });
        const expiry = attachmentExpired({ ...first.attachment, expiresAtMs: EXPIRES_MS });
        expect(await announced()).toEqual([first.event, expiry, second.event]);
      });

      it('counts as absent for a condition and a deletion', async () => {
        const condition = { ifVersion: 1000 };
        await expect(put(aPut({ taskId }, { version: 1002 }), { condition, nowMs: EXPIRES_MS })).resolves.toEqual({
          state: 'condition-failed',
          currentVersion: null,
        });
        await expect(remove('k', 1002, EXPIRES_MS)).resolves.toEqual({ state: 'attachment-missing' });
        expect(await announced()).toEqual([first.event]);
      });

      it('still orders writes by version', async () => {
        const late = put(aPut({ taskId }, { version: 1000 }), { nowMs: EXPIRES_MS });
        await expect(late).resolves.toEqual({ state: 'superseded', version: 1000 });
      });

      it('gets a new lifetime from a put before its expiry', async () => {
        await put(aPut({ taskId, ttlSeconds: 60 }, { version: 1002 }));
        expect(await found(harness, taskId, 'k', EXPIRES_MS)).toMatchObject({ expiresAtMs: NOW_MS + 60_000 });
        await put(aPut({ taskId }, { version: 1004 }));
        expect((await found(harness, taskId, 'k', LATER_MS))?.expiresAtMs).toBeUndefined();
      });
    });

    describe('a missing task', () => {
      it.each(['never created', 'of another organisation', 'deleted'])(
        'holds nothing and accepts nothing: %s',
        async (how) => {
          const missing =
            how === 'never created'
              ? aTask()
              : await storedTask(harness, {}, how === 'deleted' ? ORGANIZATION : 'other');
          const { id } = missing;
          if (how === 'of another organisation')
            await harness.attachments.put(aPut({ taskId: id }), 'other', undefined, NOW_MS, TIMEOUT_MS);
          if (how === 'deleted') {
            await put(aPut({ taskId: id }));
            await deleteTree(harness, id);
          }
          const before = await harness.eventsOf(id);

          await expect(put(aPut({ taskId: id }, { version: 5000 }))).resolves.toEqual({ state: 'task-missing' });
          const deletion = aDeletion(id, 'k', 5000);
          await expect(
            harness.attachments.delete(deletion, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS),
          ).resolves.toEqual({
            state: 'task-missing',
          });
          expect(await harness.attachments.find([{ taskId: id, key: 'k' }], ORGANIZATION, NOW_MS, TIMEOUT_MS)).toEqual({
            tasks: new Set(),
            found: [],
          });
          expect(await list({ taskId: id })).toBeUndefined();
          expect(await outlines(id, NOW_MS)).toBeUndefined();
          expect(await harness.eventsOf(id)).toEqual(before);
        },
      );
    });

    describeLateWrites(() => ({ harness, taskId }));
    describePutsTogether(() => ({ harness, taskId }));

    describe('find', () => {
      it('returns the version of a deleted or expired attachment', async () => {
        await put(aPut({ taskId, key: 'deleted' }, { version: 1000 }));
        await remove('deleted', 1002);
        await put(aPut({ taskId, key: 'expired', ttlSeconds: 1 }, { version: 1004 }));
        const refs = ['deleted', 'expired', 'never there'].map((key) => ({ taskId, key }));
        const { tasks, found } = await harness.attachments.find(refs, ORGANIZATION, LATER_MS, TIMEOUT_MS);
        expect(tasks).toEqual(new Set([taskId]));
        expect(found).toHaveLength(2);
        const attachment = undefined;
        const deleted = { taskId, key: 'deleted', version: 1002, attachment };
        const expired = { taskId, key: 'expired', version: 1004, attachment };
        expect(found).toEqual(expect.arrayContaining([deleted, expired]));
      });

      it('returns the attachments of several tasks, each reference once', async () => {
        const other = (await storedTask(harness)).id;
        const missing = randomUUID();
        const [one, two] = [aPut({ taskId, key: 'x' }), aPut({ taskId: other, key: 'y' })];
        await Promise.all([put(one), put(two)]);
        const refs = [
          { taskId, key: 'x' },
          { taskId, key: 'y' },
          { taskId: other, key: 'y' },
          { taskId: other, key: 'y' },
          { taskId: missing, key: 'x' },
        ];
        const { tasks, found } = await harness.attachments.find(refs, ORGANIZATION, NOW_MS, TIMEOUT_MS);
        expect(tasks).toEqual(new Set([taskId, other]));
        const stored = [one.attachment, two.attachment].map((attachment) => {
          const { taskId, key, version } = attachment;
          return { taskId, key, version, attachment };
        });
        expect(found).toHaveLength(2);
        expect(found).toEqual(expect.arrayContaining(stored));
      });

      it('returns nothing for no references', async () => {
        expect(await harness.attachments.find([], ORGANIZATION, NOW_MS, TIMEOUT_MS)).toEqual({
          tasks: new Set(),
          found: [],
        });
      });
    });

    describe('list', () => {
      it('returns sizes in place of bodies if bodies are not wanted', async () => {
        const json = aPut({ taskId, key: 'a', type: 'json', value: JsonText.of('ä') });
        const text = aPut({ taskId, key: 'b', type: 'text', content: 'ö' });
        await Promise.all([put(json), put(text)]);
        const bare = [
          { ...json.attachment, value: undefined, bytes: 4 },
          { ...text.attachment, content: undefined, bytes: 2 },
        ];
        expect((await list({ includeBodies: false }))?.attachments).toEqual(bare);
        expect(await outlines(taskId, NOW_MS)).toEqual(bare);
      });

      it('returns the total count even beyond the last page', async () => {
        await put(aPut({ taskId }));
        expect(await list({ offset: 5 })).toEqual({ attachments: [], totalCount: 1 });
        expect(await list({ offset: 5, keyPrefix: 'k' })).toEqual({ attachments: [], totalCount: 1 });
      });

      it('finds all keys with a prefix, up to the last one that there can be', async () => {
        const last = `a${'\u{10ffff}'.repeat(MAX_KEY_LENGTH - 1)}`;
        for (const key of ['a', 'aa', last, 'b', 'A']) await put(aPut({ taskId, key }));
        const page = await list({ keyPrefix: 'a' });
        expect(page?.attachments.map(({ key }) => key).sort()).toEqual(['a', 'aa', last]);
        expect(page?.totalCount).toBe(3);
      });

      it('returns the same pages as a sorted array', async () => {
        const key = fc
          .array(fc.constantFrom('a', 'b', 'A', '%', '_', '\\', 'é', '\uffee', '😀', '𝒳'), {
            minLength: 1,
            maxLength: 3,
          })
          .map((characters) => characters.join(''));
        const created = fc.record({
          key,
          type: fc.constantFrom(...ATTACHMENT_TYPES),
          createdAtMs: fc.integer({ min: NOW_MS, max: NOW_MS + 2 }),
        });
        const query = fc.record({
          type: fc.option(fc.constantFrom(...ATTACHMENT_TYPES), { nil: undefined }),
          keyPrefix: fc.oneof(fc.constant(''), key),
          limit: fc.integer({ min: 1, max: 5 }),
          offset: fc.integer({ min: 0, max: 6 }),
          descending: fc.boolean(),
        });
        const drafts = fc.uniqueArray(created, { selector: ({ key }) => key, maxLength: 12 });
        await fc.assert(
          fc.asyncProperty(drafts, fc.array(query, { minLength: 1, maxLength: 5 }), async (drafts, queries) => {
            const task = await storedTask(harness);
            const puts = drafts.map(({ key, type, createdAtMs }) =>
              aPut({ taskId: task.id, key, type, ...bodyOf(type) }, { nowMs: createdAtMs }),
            );
            for (const one of puts) await put(one);
            for (const one of queries) {
              const expected = pageOf(
                puts.map(({ attachment }) => attachment),
                one,
              );
              expect(await list({ taskId: task.id, ...one })).toEqual(expected);
            }
            const inKeyOrder = puts.map(({ attachment }) => attachment.key).sort(byBytes);
            const found = await outlines(task.id, NOW_MS);
            expect(found?.map(({ key }) => key)).toEqual(inKeyOrder);
          }),
          { numRuns: 25 },
        );
      });
    });

    describe('a full task', () => {
      it('refuses new keys and nothing else', async () => {
        const task = aTask();
        const puts = Array.from({ length: MAX_ATTACHMENTS_PER_TASK }, (_, i) =>
          aPut({ taskId: task.id, key: `k${i}`, ...(i === 0 ? { ttlSeconds: 5 } : {}) }),
        );
        const event = aPut({ taskId: task.id }).event;
        await expect(harness.tasks.insert(task, puts, event, TIMEOUT_MS)).resolves.toBe('inserted');
        const before = (await harness.eventsOf(task.id)).length;

        const full = await put(aPut({ taskId: task.id, key: 'one more' }));
        expect(full).toEqual({ state: 'task-full' });
        expect(await found(harness, task.id, 'one more')).toBeUndefined();
        expect(await harness.eventsOf(task.id)).toHaveLength(before);
        expect(await list({ taskId: task.id, limit: 1 })).toMatchObject({ totalCount: MAX_ATTACHMENTS_PER_TASK });

        const over = await put(aPut({ taskId: task.id, key: 'k1' }, { version: 1002 }));
        expect(over).toMatchObject({ state: 'applied', replaced: true });
        // The expired attachment makes room for exactly one.
        const inPlace = await put(aPut({ taskId: task.id, key: 'instead' }), { nowMs: LATER_MS });
        expect(inPlace).toMatchObject({ state: 'applied' });
        const back = await put(aPut({ taskId: task.id, key: 'k0' }, { version: 1002 }), { nowMs: LATER_MS });
        expect(back).toEqual({ state: 'task-full' });
        await harness.attachments.delete(aDeletion(task.id, 'k2', 1002), ORGANIZATION, undefined, LATER_MS, TIMEOUT_MS);
        const again = await put(aPut({ taskId: task.id, key: 'k0' }, { version: 1002 }), { nowMs: LATER_MS });
        expect(again).toMatchObject({ state: 'applied', replaced: false });
        const page = { taskId: task.id, limit: 1, nowMs: LATER_MS };
        expect(await list(page)).toMatchObject({ totalCount: MAX_ATTACHMENTS_PER_TASK });
        // A write that has been acknowledged can no longer be refused.
        const journaled = aPut({ taskId: task.id, key: 'journaled' }, { nowMs: LATER_MS });
        const drained = await drainOne(harness, { organization: ORGANIZATION, put: journaled });
        expect(drained).toMatchObject({ state: 'applied' });
        expect(await list(page)).toMatchObject({ totalCount: MAX_ATTACHMENTS_PER_TASK + 1 });

        for (const key of ['k3', 'k4', 'k5']) {
          const deletion = aDeletion(task.id, key, 1002);
          await harness.attachments.delete(deletion, ORGANIZATION, undefined, LATER_MS, TIMEOUT_MS);
        }
        const together = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) =>
          put(aPut({ taskId: task.id, key }), { nowMs: LATER_MS }),
        );
        const states = (await Promise.all(together)).map(({ state }) => state);
        expect(states.filter((state) => state === 'applied')).toHaveLength(2);
        expect(states.filter((state) => state === 'task-full')).toHaveLength(6);
        expect(await list(page)).toMatchObject({ totalCount: MAX_ATTACHMENTS_PER_TASK });
      });
    });
  });
}

function bodyOf(type: Attachment['type']): Partial<AttachmentDraft> {
  switch (type) {
    case 'json':
      return { value: JsonText.of(0) };
    case 'url':
      return { url: 'https://example.org/' };
    case 'binary':
      return { mimeType: 'image/png' };
    case 'markdown':
    case 'text':
      return { content: '' };
  }
}

function pageOf(
  attachments: readonly Attachment[],
  query: Pick<AttachmentListQuery, 'type' | 'keyPrefix' | 'limit' | 'offset' | 'descending'>,
) {
  const { type, keyPrefix, limit, offset, descending } = query;
  const matching = attachments
    .filter((one) => (type === undefined || one.type === type) && one.key.startsWith(keyPrefix))
    .sort((a, b) => (descending ? -1 : 1) * (a.createdAtMs - b.createdAtMs || byBytes(a.key, b.key)));
  return { attachments: matching.slice(offset, offset + limit), totalCount: matching.length };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
