import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { refName, type AttachmentRef } from '../../src/core/domain/attachment';
import { attachmentCreated, ofStored } from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import type { JournalEntry, JournaledWrite } from '../../src/core/ports/attachment-journal';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import type { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { NoAttachmentJournal } from '../../src/outbound/memory/no-attachment-journal';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { oneOfEachType } from '../support/sample-attachment';
import { NOW_MS, ORGANIZATION } from '../support/task-in-cache';
import { settleOne, TaskInJournal } from '../support/task-in-journal';

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;
const IDENTITY = { id: 'ta-1700000000000-storedone', createdAtMs: 1_700_000_000_123, createdBy: 'bob' };

describe.each([
  ['one server', false],
  ['a cluster', true],
])('attachment journal on %s', (_, isCluster) => {
  let harness: RedisCacheHarness;
  let cache: RedisAttachmentCache;
  let journal: RedisAttachmentJournal;
  let task: TaskInJournal;
  let floor: number;

  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster });
    cache = harness.cache(HOUR_MS);
    journal = harness.journal(HOUR_MS);
  });
  afterAll(() => harness?.close());
  /** A task of which the cache knows everything. Its one attachment, `known`, has a content of nine bytes. */
  beforeEach(async () => {
    await harness.empty();
    task = new TaskInJournal(cache, journal);
    floor = await task.fill([task.sample('known', 2, { content: 'known one' })]);
  });

  const control = () => harness.keys.control(task.id);
  const bodyOf = (key: string) => harness.keys.attachment({ taskId: task.id, key });
  const journalName = () => harness.keys.journal(harness.keys.shardOf(task.id));
  const deadLettersName = () => harness.keys.deadLetters(harness.keys.shardOf(task.id));
  const lifetimeMs = (name: string) => harness.client.pttl(name);

  describe('a put', () => {
    it('of a new key is accepted, returned to readers and kept for the store', async () => {
      const put = await task.appendPut('new', floor + 2);
      expect(await task.read('new')).toMatchObject({ attachment: put, journaled: true });
      expect(await task.keys()).toEqual(['known', 'new']);
      const entries = await journal.oldest();
      const { generation } = harness.epoch;
      const ref = { taskId: task.id, key: 'new' };
      expect(entries).toEqual([[{ ref, op: put.op, write: task.putOf(put), generation }]]);
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 0 });
    });

    it('returns the generation in which it was accepted', async () => {
      const { generation } = harness.connection;
      expect(await task.append(task.putOf(task.sample('new', floor + 2)))).toEqual({ state: 'journaled', generation });
    });

    it('over a live attachment keeps its identity for readers and in the event', async () => {
      const known = task.sample('known', 2, IDENTITY);
      await task.fill([{ ...known, version: 4, op: randomUUID() }]);
      const put = task.sample('known', floor + 2, { content: 'newer' });
      expect(await task.append(task.putOf(put))).toMatchObject({ state: 'journaled', replaced: IDENTITY });
      expect(await task.get('known')).toEqual({ ...put, ...IDENTITY });
      expect(await harness.client.zscore(harness.keys.index(task.id), 'known')).toBe(String(IDENTITY.createdAtMs));
      expect((await task.page()).page).toMatchObject({ totalCount: 1, entries: [{ attachment: IDENTITY }] });
      const event = ofStored(attachmentCreated(put, 'replica-1'), IDENTITY.id);
      expect((await task.head()).write).toEqual({ organization: ORGANIZATION, put: { attachment: put, event } });
    });

    it('keeps the creation time of the replaced attachment to the millisecond', () =>
      fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: Date.UTC(2400, 0, 1) }), async (createdAtMs) => {
          task = new TaskInJournal(cache, journal);
          floor = await task.fill([task.sample('known', 2, { createdAtMs })]);
          const outcome = await task.append(task.putOf(task.sample('known', floor + 2)));
          expect(outcome).toMatchObject({ replaced: { createdAtMs } });
          expect(await harness.client.zscore(harness.keys.index(task.id), 'known')).toBe(String(createdAtMs));
        }),
        { examples: [[Date.UTC(2024, 1, 29)], [Date.UTC(2100, 1, 28, 23, 59, 59, 999)], [Date.UTC(2000, 2, 1)]] },
      ));

    it.each<[string, () => Promise<unknown>]>([
      ['has expired', () => task.fill([task.sample('known', 4, { expiresAtMs: NOW_MS })])],
      ['has lost its body', () => harness.evict.body(task.id, 'known')],
      ['cannot be read', () => harness.client.hset(bodyOf('known'), 'createdAt', 'yesterday')],
      ['was deleted', () => task.appendDeletion('known', floor + 2)],
    ])('replaces nothing if the attachment %s', async (__, lose) => {
      await lose();
      const put = task.sample('known', floor + 4);
      expect(await task.append(task.putOf(put))).toEqual({
        state: 'journaled',
        generation: harness.connection.generation,
      });
      expect(await task.get('known')).toEqual(put);
      expect(await harness.client.hget(control(), 'm')).toBe('1');
    });

    it('is superseded by a version that may have been forgotten, by the known version, and by itself', async () => {
      expect(await task.append(task.putOf(task.sample('new', floor)))).toEqual({ state: 'superseded', version: floor });
      expect(await task.append(task.putOf(task.sample('known', 2)))).toEqual({ state: 'superseded', version: 2 });
      expect(await task.append(task.putOf(task.sample('known', 4)))).toMatchObject({ state: 'journaled' });
      const write = task.putOf(task.sample('known', 6));
      await task.append(write);
      expect(await task.append(write)).toEqual({ state: 'superseded', version: 6 });
      expect(await journal.backlog()).toMatchObject({ waiting: 2 });
    });

    it('is superseded by a newer deletion, drained or not', async () => {
      await task.appendDeletion('known', floor + 2);
      expect(await task.append(task.putOf(task.sample('known', floor + 2)))).toEqual({
        state: 'superseded',
        version: floor + 2,
      });
      await settleOne(journal, await task.head(), { state: 'applied' });
      expect(await task.append(task.putOf(task.sample('known', floor + 1)))).toEqual({
        state: 'superseded',
        version: floor + 2,
      });
      await task.appendPut('known', floor + 4);
    });

    it('with an expiry makes the page unknown when it expires', async () => {
      await task.appendPut('brief', floor + 2, { expiresAtMs: NOW_MS + 1000 });
      expect((await task.page()).page?.totalCount).toBe(2);
      const later = { taskId: task.id, organization: ORGANIZATION, nowMs: NOW_MS + 1000 };
      const whole = { limit: 10, offset: 0, descending: false, includeBodies: false, known: [] };
      const found = await cache.readPage({ ...later, page: whole });
      expect(found.page).toBeUndefined();
      expect(await task.journaled()).toMatchObject([{ key: 'brief', version: floor + 2 }]);
    });
  });

  describe('a deletion', () => {
    it('is accepted, hides the attachment and returns its identity', async () => {
      const { createdAtMs, createdBy, id } = task.sample('known', 2);
      const write = task.deletionOf('known', floor + 2);
      expect(await task.append(write)).toMatchObject({ state: 'journaled', replaced: { id, createdAtMs, createdBy } });
      expect(await task.read('known')).toMatchObject({
        attachment: undefined,
        deletedVersion: floor + 2,
        journaled: true,
      });
      expect((await task.page()).page).toEqual({ totalCount: 0, entries: [] });
      expect(await harness.client.exists(bodyOf('known'))).toBe(0);
      const { deletion } = write as Extract<JournaledWrite, { deletion: unknown }>;
      expect((await task.head()).write).toEqual({
        organization: ORGANIZATION,
        deletion: { ...deletion, event: ofStored(deletion.event, id) },
      });
    });

    it.each<[string, () => Promise<unknown>]>([
      ['is not known', () => harness.client.hdel(control(), 'r:known')],
      ['has expired', () => task.fill([task.sample('known', 4, { expiresAtMs: NOW_MS })])],
      ['was deleted', () => task.appendDeletion('known', floor + 2)],
    ])('has the outcome unknown if the attachment %s', async (__, lose) => {
      await lose();
      const { waiting } = await journal.backlog();
      expect(await task.append(task.deletionOf('known', floor + 4))).toEqual({ state: 'unknown' });
      expect(await journal.backlog()).toMatchObject({ waiting });
    });

    it('of an attachment without its body is accepted without an identity', async () => {
      await harness.evict.body(task.id, 'known');
      expect(await task.append(task.deletionOf('known', floor + 2))).toEqual({
        state: 'journaled',
        generation: harness.connection.generation,
      });
    });

    it('hides older versions that fills and changes bring late', async () => {
      await task.appendDeletion('known', floor + 4);
      await task.fill([task.sample('known', floor + 2)]);
      await task.apply(task.sample('known', floor + 2));
      expect(await task.read('known')).toMatchObject({ attachment: undefined, deletedVersion: floor + 4 });
    });
  });

  describe('a task', () => {
    const writes = () => [task.putOf(task.sample('new', floor + 2)), task.deletionOf('known', floor + 2)];

    it('that is not known, or not known to exist, accepts no write', async () => {
      await harness.evict.control(task.id);
      for (const write of writes()) expect(await task.append(write)).toEqual({ state: 'unknown' });
      await cache.readTask(task.id);
      for (const write of writes()) expect(await task.append(write)).toEqual({ state: 'unknown' });
      expect(await journal.oldest()).toEqual([]);
    });

    it('of another organisation is not known, deleted or not, and its waiting writes stay hidden', async () => {
      const appendForeign = async () => {
        for (const write of writes())
          expect(await task.append({ ...write, organization: 'other' })).toEqual({ state: 'unknown' });
      };
      await appendForeign();
      await task.appendPut('new', floor + 2);
      await task.appendDeletion('known', floor + 2);
      for (const key of ['new', 'known']) {
        const found = await task.read(key, 'other');
        expect(found).toMatchObject({ journaled: false });
        expect([found.attachment, found.deletedVersion]).toEqual([undefined, undefined]);
      }
      expect(await task.journaled('other')).toEqual([]);
      expect(await task.journaled()).toHaveLength(2);
      await cache.wipe(task.id, floor + 6);
      await appendForeign();
    });

    it('that is deleted is missing', async () => {
      await task.appendPut('new', floor + 2);
      await cache.wipe(task.id, floor + 4);
      for (const write of writes()) expect(await task.append(write)).toEqual({ state: 'task-missing' });
      expect(await task.journaled()).toEqual([]);
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
    });
  });

  describe('pages', () => {
    it('tell whether writes wait', async () => {
      expect((await task.page()).journaled).toEqual([]);
      await task.appendPut('new', floor + 2);
      expect(await task.page()).toMatchObject({ page: { totalCount: 2 } });
      expect((await task.page()).journaled).toBeUndefined();
      await settleOne(journal, await task.head(), { state: 'applied' });
      expect((await task.page()).journaled).toEqual([]);
    });

    it('list the waiting writes if the page itself is not known', async () => {
      const put = await task.appendPut('new', floor + 2, { content: 'grün' });
      await task.appendDeletion('known', floor + 4);
      await harness.evict.index(task.id);
      const { content: _content, ...outline } = put;
      expect((await task.page()).page).toBeUndefined();
      expect((await task.page()).journaled).toBeUndefined();
      expect((await task.journaled())?.toSorted((a, b) => a.version - b.version)).toEqual([
        { key: 'new', version: floor + 2, attachment: outline },
        { key: 'known', version: floor + 4, attachment: null },
      ]);
      await settleOne(journal, await task.head(), { state: 'applied' });
      expect(await task.journaled()).toEqual([{ key: 'known', version: floor + 4, attachment: null }]);
    });

    it('leave out a waiting write that cannot be read', async () => {
      await task.appendPut('new', floor + 2);
      await harness.client.hset(bodyOf('new'), 'op', randomUUID());
      expect(await task.journaled()).toEqual([]);
      await task.appendPut('broken', floor + 2);
      await harness.client.hset(bodyOf('broken'), 'updatedAt', '');
      expect(await task.journaled()).toEqual([]);
      expect(await task.read('broken')).toMatchObject({ attachment: undefined, journaled: false });
    });
  });

  describe('settling', () => {
    it('an applied put makes it an ordinary record, with the identity from the store', async () => {
      const put = await task.appendPut('new', floor + 2);
      await settleOne(journal, await task.head(), { state: 'applied', identity: IDENTITY });
      expect(await task.read('new')).toMatchObject({ attachment: { ...put, ...IDENTITY }, journaled: false });
      expect(await task.keys()).toEqual(['new', 'known']);
      expect(await harness.client.zscore(harness.keys.index(task.id), 'new')).toBe(String(IDENTITY.createdAtMs));
      expect(await journal.oldest()).toEqual([]);
      expect(await task.journaled()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
    });

    it('an applied deletion leaves nothing known of the attachment', async () => {
      await task.appendDeletion('known', floor + 2);
      await settleOne(journal, await task.head(), { state: 'applied' });
      const found = await task.read('known');
      expect([found.attachment, found.deletedVersion, found.journaled]).toEqual([undefined, undefined, false]);
      expect((await task.page()).page?.totalCount).toBe(0);
    });

    it('a superseded put keeps it until the newer version arrives', async () => {
      const put = await task.appendPut('new', floor + 2);
      await settleOne(journal, await task.head(), { state: 'superseded' });
      expect(await task.read('new')).toMatchObject({ attachment: put, journaled: false });
      await task.apply(task.sample('new', floor + 4));
      expect((await task.get('new'))?.version).toBe(floor + 4);
    });

    it('a refused write makes it a dead letter, and nothing is known under its key', async () => {
      await task.appendPut('known', floor + 2);
      await task.appendDeletion('known', floor + 4);
      const texts = await harness.client.lrange(journalName(), 0, -1);
      await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
      expect(await task.read('known')).toMatchObject({ deletedVersion: floor + 4 });
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });

      await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
      expect(await task.read('known')).toMatchObject({ journaled: false, token: { floor: floor + 4 } });
      expect((await task.page()).page).toBeUndefined();
      expect(await harness.client.lrange(deadLettersName(), 0, -1)).toEqual(texts.map((text) => `22P05 ${text}`));
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 2 });
    });

    it('each dead letter is reported once', async () => {
      const onDeadLetter = jest.fn();
      const reporting = new RedisAttachmentJournal(harness.connection, harness.keys, HOUR_MS, onDeadLetter);
      await task.appendPut('taken', floor + 2);
      await settleOne(reporting, await task.head(), { state: 'applied' });
      await task.appendPut('refused', floor + 4);
      const entry = await task.head();
      await settleOne(reporting, entry, { state: 'refused', reason: '22P05' });
      // Another replica was faster.
      await settleOne(reporting, entry, { state: 'refused', reason: '22P05' });
      await harness.client.rpush(journalName(), 'not an entry');
      await reporting.oldest();
      expect(onDeadLetter.mock.calls).toEqual([[entry], []]);
    });

    it('leaves a record that is newer than the entry as it is', async () => {
      await task.appendPut('new', floor + 2);
      const newer = task.sample('new', floor + 4);
      await task.apply(newer);
      await settleOne(journal, await task.head(), { state: 'applied', identity: IDENTITY });
      expect(await task.get('new')).toEqual(newer);
    });

    it('takes effect only on the oldest entry, and only once', async () => {
      await task.appendPut('first', floor + 2);
      await task.appendPut('second', floor + 4);
      const [[first, second] = []] = (await journal.oldest()) as [JournalEntry[]];
      expect(await settleOne(journal, second as JournalEntry, { state: 'applied' })).toBe(false);
      expect(await journal.backlog()).toMatchObject({ waiting: 2 });
      expect(await settleOne(journal, first as JournalEntry, { state: 'applied' })).toBe(true);
      for (const outcome of [{ state: 'refused', reason: '22P05' }, { state: 'postponed' }] as const)
        expect(await settleOne(journal, first as JournalEntry, outcome)).toBe(false);
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 0 });
      expect((await task.read('second')).journaled).toBe(true);
    });

    it('a postponed entry moves it behind all others, unchanged', async () => {
      const put = await task.appendPut('first', floor + 2);
      await task.appendPut('second', floor + 4);
      const [[first, second] = []] = (await journal.oldest()) as [JournalEntry[]];
      expect(await settleOne(journal, first as JournalEntry, { state: 'postponed' })).toBe(true);
      expect(await journal.oldest()).toEqual([[second, first]]);
      expect(await task.read('first')).toMatchObject({ attachment: put, journaled: true });
      for (const name of [control(), bodyOf('first')]) expect(await lifetimeMs(name)).toBe(-1);
      expect(await journal.backlog()).toEqual({ waiting: 2, deadLetters: 0 });
    });

    it('a refused write leaves it waiting until an older, postponed write of its key has been drained', async () => {
      const older = await task.appendPut('k', floor + 2);
      const newer = await task.appendPut('k', floor + 4);
      await settleOne(journal, await task.head(), { state: 'postponed' });
      await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
      expect(await task.get('k')).toEqual(newer);
      expect(await journal.backlog()).toEqual({ waiting: 2, deadLetters: 0 });

      expect((await task.head()).op).toBe(older.op);
      await settleOne(journal, await task.head(), { state: 'applied' });
      await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
      expect(await task.read('k')).toMatchObject({ attachment: undefined, token: { floor: floor + 4 } });
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    });

    it('many entries at once happens in the order of the calls', async () => {
      const keys = Array.from({ length: 100 }, (__, i) => `k${i}`);
      for (const [i, key] of keys.entries()) await task.append(task.putOf(task.sample(key, floor + 2 + 2 * i)));
      const entries = (await journal.oldest()).flat();
      const taken = await Promise.all(entries.map((entry) => settleOne(journal, entry, { state: 'applied' })));
      expect(taken).toEqual(keys.map(() => true));
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
    });

    it('does not create a task that has been forgotten', async () => {
      await task.appendPut('new', floor + 2);
      await harness.evict.control(task.id);
      await settleOne(journal, await task.head(), { state: 'applied', identity: IDENTITY });
      expect(await harness.client.exists(control())).toBe(0);
      expect(await journal.backlog()).toMatchObject({ waiting: 0 });
    });
  });

  describe('changes from the store', () => {
    it('learn of a newer journaled put, drained or not', async () => {
      const put = await task.appendPut('known', floor + 10);
      const newer = { newer: floor + 10, generation: harness.connection.generation };
      const expectNewer = async () => {
        expect(await task.apply(task.sample('known', floor + 4))).toEqual(newer);
        expect(await task.apply(task.sample('known', floor + 10))).toEqual(newer);
        expect(await task.applyDeletion('known', floor + 6)).toEqual(newer);
      };
      await expectNewer();
      expect((await task.apply(put)).newer).toBeUndefined();
      await settleOne(journal, await task.head(), { state: 'applied' });
      await expectNewer();
      expect(await task.get('known')).toEqual(put);
    });

    it('learn of a newer journaled deletion, drained or not', async () => {
      await task.appendDeletion('known', floor + 10);
      expect((await task.apply(task.sample('known', floor + 4))).newer).toBe(floor + 10);
      await settleOne(journal, await task.head(), { state: 'applied' });
      expect((await task.apply(task.sample('known', floor + 4))).newer).toBe(floor + 10);
      expect((await task.applyDeletion('known', floor + 4)).newer).toBe(floor + 10);
    });

    it('do not learn of a newer change from the store itself', async () => {
      await task.appendPut('known', floor + 2);
      await task.apply(task.sample('known', floor + 10));
      expect((await task.apply(task.sample('known', floor + 4))).newer).toBeUndefined();
      expect((await task.applyDeletion('known', floor + 4)).newer).toBeUndefined();
    });
  });

  describe('lifetimes', () => {
    it('are suspended while writes wait, and start again afterwards', async () => {
      await task.appendPut('a', floor + 2);
      await task.appendPut('b', floor + 4);
      for (const name of [control(), bodyOf('a'), bodyOf('b')]) expect(await lifetimeMs(name)).toBe(-1);
      expect(await lifetimeMs(bodyOf('known'))).toBeGreaterThan(0);

      await settleOne(journal, await task.head(), { state: 'applied' });
      expect(await lifetimeMs(bodyOf('a'))).toBeGreaterThan(0);
      for (const name of [control(), bodyOf('b')]) expect(await lifetimeMs(name)).toBe(-1);

      await settleOne(journal, await task.head(), { state: 'superseded' });
      for (const name of [control(), bodyOf('b')]) expect(await lifetimeMs(name)).toBeGreaterThan(0);
    });

    it('are suspended while an older version waits under the same key', async () => {
      await task.appendPut('a', floor + 2);
      await task.appendPut('a', floor + 4);
      await settleOne(journal, await task.head(), { state: 'applied' });
      for (const name of [control(), bodyOf('a')]) expect(await lifetimeMs(name)).toBe(-1);
      expect(await task.read('a')).toMatchObject({ journaled: true, attachment: { version: floor + 4 } });
    });

    it('are suspended while a deletion waits, and while entries of a deleted task wait', async () => {
      await task.appendDeletion('known', floor + 2);
      expect(await lifetimeMs(control())).toBe(-1);
      await cache.wipe(task.id, floor + 4);
      expect(await lifetimeMs(control())).toBe(-1);
      await settleOne(journal, await task.head(), { state: 'superseded' });
      expect(await lifetimeMs(control())).toBeGreaterThan(0);
    });
  });

  describe('the oldest entries', () => {
    it('are returned with every type as it was, in the order of the writes', async () => {
      const writes = oneOfEachType(task.id).map((attachment, i) =>
        task.putOf({ ...attachment, version: floor + 2 + 2 * i }),
      );
      for (const write of writes) await task.append(write);
      const [entries] = await journal.oldest();
      expect(entries?.map(({ write }) => write)).toEqual(writes);
    });

    it('keep the text of a JSON value character for character', async () => {
      const text = '{"10":1.50,"2":[1e400,9007199254740993],"b":"\\u00e9\\/","a":{},"a":"\\ud800"}';
      await task.appendPut('v', floor + 2, { type: 'json', value: JsonText.restore(text) });
      const { write } = await task.head();
      expect(write && 'put' in write && write.put.attachment.value?.text).toBe(text);
    });

    it('are returned without what they write if they have a newer format, and can be postponed', async () => {
      const put = await task.appendPut('newer', floor + 2);
      await task.appendPut('other', floor + 4);
      const text = (await harness.client.lindex(journalName(), 0)) as string;
      expect(text).toContain('{"format":1,');
      await harness.client.lset(journalName(), 0, text.replace('{"format":1,', '{"format":2,"unheard":[],'));
      const ref = { taskId: task.id, key: 'newer' };
      expect((await journal.oldest())[0]?.[0]).toEqual({ ref, op: put.op, generation: harness.epoch.generation });
      expect(await settleOne(journal, await task.head(), { state: 'postponed' })).toBe(true);
      expect((await journal.oldest())[0]?.map((entry) => entry.ref.key)).toEqual(['other', 'newer']);
      expect(await journal.backlog()).toEqual({ waiting: 2, deadLetters: 0 });
    });

    it('are not settled if the epoch has changed since: the database that has them may be another one', async () => {
      await task.appendPut('k', floor + 2);
      const entry = await task.head();
      const epoch = harness.epoch.name;
      for (const name of ['another', epoch]) harness.epoch.use(name);
      expect(await settleOne(journal, entry, { state: 'superseded' })).toBe(false);
      expect(await settleOne(journal, await task.head(), { state: 'superseded' })).toBe(true);
    });

    it('of a release that knew no format are those of the first one', async () => {
      const put = await task.appendPut('earlier', floor + 2);
      const text = (await harness.client.lindex(journalName(), 0)) as string;
      await harness.client.lset(journalName(), 0, text.replace('"format":1,', ''));
      expect(await task.head()).toEqual({
        ref: { taskId: task.id, key: 'earlier' },
        op: put.op,
        write: task.putOf(put),
        generation: harness.epoch.generation,
      });
    });

    it('keep the trace of the call; one that is not valid, and members that are not known, are ignored', async () => {
      const put = task.putOf(task.sample('traced', floor + 2)) as JournaledWrite & { readonly put: AttachmentPut };
      const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=value' };
      const traced = { ...put, put: { ...put.put, event: { ...put.put.event, trace } } };
      await task.append(traced);
      expect((await task.head()).write).toEqual(traced);
      const text = (await harness.client.lindex(journalName(), 0)) as string;
      const others = ['"garbage"', '{"traceparent":"garbage"}', '{"tracestate":"vendor=value"}', 'null,"unheard":[1]'];
      for (const other of others) {
        await harness.client.lset(journalName(), 0, text.replace(JSON.stringify(trace), other));
        expect((await task.head()).write).toEqual(put);
      }
    });

    it('are five hundred at most', async () => {
      for (let i = 1; i <= 520; i++) await task.append(task.putOf(task.sample(`k${i}`, floor + 2 * i)));
      const [entries] = await journal.oldest();
      expect(entries).toHaveLength(500);
      expect(await journal.backlog()).toMatchObject({ waiting: 520 });
    });

    it('are limited by what a replica can hold, and all of them are returned in the end', async () => {
      const content = 'x'.repeat(MIB);
      const keys = Array.from({ length: 7 }, (__, i) => `large${i}`);
      for (const [i, key] of keys.entries()) await task.appendPut(key, floor + 2 + 2 * i, { content });
      const drained: string[] = [];
      while (drained.length < keys.length) {
        const [entries = []] = await journal.oldest();
        expect(entries.length).toBeGreaterThan(0);
        expect(entries.length).toBeLessThanOrEqual(5);
        for (const entry of entries) {
          await settleOne(journal, entry, { state: 'applied' });
          drained.push(entry.ref.key);
        }
      }
      expect(drained).toEqual(keys);
      expect((await task.get('large6'))?.content).toBe(content);
    });

    it('include the first one, however large it is', async () => {
      await task.appendPut('huge', floor + 2, { content: 'x'.repeat(5 * MIB) });
      await task.appendPut('small', floor + 4);
      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['huge', 'small']);
    });

    it('are returned for each shard separately', async () => {
      const parts = new Map<number, AttachmentRef[]>();
      for (let i = 0; i < 8; i++) {
        task = new TaskInJournal(cache, journal);
        floor = await task.fill([]);
        const puts = [await task.appendPut('a', floor + 2), await task.appendPut('b', floor + 4)];
        const shard = harness.keys.shardOf(task.id);
        parts.set(shard, [...(parts.get(shard) ?? []), ...puts]);
      }
      const found = (await journal.oldest()).map((part) => part.map(({ ref }) => refName(ref)));
      const expected = [...parts.values()].map((part) => part.map(refName));
      expect(found.toSorted()).toEqual(expected.toSorted());
      expect(await journal.backlog()).toMatchObject({ waiting: 16 });
    });
  });

  describe('corrupted data', () => {
    const broken = (change: (entry: string) => string) => async () => {
      const [text] = (await harness.client.lrange(journalName(), 0, 0)) as [string];
      return change(text);
    };
    const corruptions: [string, () => Promise<string>][] = [
      ['text that is not an entry', () => Promise.resolve('x')],
      ['an entry with a broken op', broken((text) => text.slice(1))],
      ['half an entry', broken((text) => text.slice(0, text.length / 2))],
      ['an entry that is not an object', broken((text) => `${text.slice(0, 38)} []`)],
      ['an entry without a write', broken((text) => text.replace('"put"', '"putt"'))],
      ['an attachment without its content', broken((text) => text.replace('"content"', '"contents"'))],
      ['the attachment of another write', broken((text) => text.replace('"op":"', '"op":"0'))],
      ['another attachment', broken((text) => text.replace('"key":"a"', '"key":"b"'))],
      ['the event of another write', broken((text) => text.replace('"eventId":"', '"eventId":"0'))],
      ['an unknown event', broken((text) => text.replace('task.attachment_created', 'task.created_attachment'))],
      ['an entry without an event', broken((text) => text.replace('"event"', '"no event"'))],
    ];

    it.each(corruptions)('goes to the dead letters once it is the oldest entry: %s', async (__, corrupt) => {
      await task.appendPut('a', floor + 2);
      const text = await corrupt();
      expect(text).not.toBe(await harness.client.lindex(journalName(), 0));
      await harness.client.rpush(journalName(), text);
      await task.appendPut('b', floor + 4);

      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['a']);
      await settleOne(journal, await task.head(), { state: 'applied' });
      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['b']);
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });
      expect(await harness.client.lrange(deadLettersName(), 0, -1)).toEqual([`unreadable ${text}`]);
    });

    it('goes to the dead letters without the next entry, even if two replicas find it', async () => {
      await task.appendPut('a', floor + 2);
      await harness.client.lpush(journalName(), 'x');
      await Promise.all([journal.oldest(), journal.oldest()]);
      expect((await task.head()).ref.key).toBe('a');
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });
    });

    it('goes to the dead letters if it is a deletion without its version', async () => {
      await task.appendDeletion('known', floor + 2);
      const [text] = (await harness.client.lrange(journalName(), 0, 0)) as [string];
      await harness.client.lset(journalName(), 0, text.replace('"version":', '"versions":'));
      expect(await journal.oldest()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    });

    it('is overwritten if it stands in place of the journal or the dead letters', async () => {
      await harness.client.set(journalName(), 'x');
      await harness.client.set(deadLettersName(), 'x');
      expect(await journal.oldest()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
      await task.appendPut('new', floor + 2);
      await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    });

    it('in place of the journal makes settling do nothing', async () => {
      await task.appendPut('new', floor + 2);
      const entry = await task.head();
      await harness.client.set(journalName(), 'x');
      await settleOne(journal, entry, { state: 'applied' });
      expect((await task.read('new')).journaled).toBe(true);
    });

    it.each(['x', '-1', '', '1e9', '99999999999999999999'])(
      'in the count of entries makes the count start again: %j',
      async (count) => {
        await harness.client.hset(control(), 'n', count);
        await task.appendPut('new', floor + 2);
        expect(await harness.client.hget(control(), 'n')).toBe('1');
        await harness.client.hset(control(), 'n', count);
        await settleOne(journal, await task.head(), { state: 'applied' });
        expect(await harness.client.hget(control(), 'n')).toBe('0');
      },
    );

    it('in place of the control makes the task unknown', async () => {
      await harness.client.set(control(), 'x');
      expect(await task.append(task.putOf(task.sample('new', floor + 2)))).toEqual({ state: 'unknown' });
    });

    it('in place of a body is overwritten', async () => {
      await harness.client.set(bodyOf('known'), 'x');
      const put = await task.appendPut('known', floor + 2);
      expect(await task.get('known')).toEqual(put);
      await harness.client.set(bodyOf('known'), 'x');
      await settleOne(journal, await task.head(), { state: 'applied', identity: IDENTITY });
      expect(await task.get('known')).toBeUndefined();
    });
  });

  it('uses the documented names', async () => {
    await task.appendPut('a', floor + 2);
    await task.appendPut('b', floor + 4);
    await settleOne(journal, await task.head(), { state: 'refused', reason: '22P05' });
    const prefix = isCluster ? `{${String(harness.keys.shardOf(task.id)).padStart(2, '0')}}` : '';
    const lists = (await harness.client.keys('*')).filter((name) => !name.includes('cb:task:'));
    expect(lists.toSorted()).toEqual([`${prefix}cb:dead-letters`, `${prefix}cb:journal`]);
  });
});

it('the journal of a process without Redis accepts nothing and holds nothing', async () => {
  const journal = new NoAttachmentJournal();
  const unavailable = { store: 'redis', outcome: 'unavailable' };
  await expect(journal.append()).rejects.toMatchObject(unavailable);
  await expect(journal.settle()).rejects.toMatchObject(unavailable);
  expect(await journal.oldest()).toEqual([]);
  expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
});
