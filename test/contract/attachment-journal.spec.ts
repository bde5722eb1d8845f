import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { attachmentCreated, attachmentDeleted, ofStored } from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import { putChange } from '../../src/core/ports/attachment-cache';
import type { JournalEntry } from '../../src/core/ports/attachment-journal';
import type { JournaledWrite } from '../../src/core/ports/attachment-store';
import type { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import type { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { NoAttachmentJournal } from '../../src/outbound/memory/no-attachment-journal';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { oneOfEachType, sampleAttachment } from '../support/sample-attachment';

const ORGANIZATION = 'acme';
const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;
/** Far ahead of the clock of Redis, which forgets what has long expired. */
const NOW_MS = Date.UTC(2100, 0, 1);
const IDENTITY = { id: 'ta-1700000000000-storedone', createdAtMs: 1_700_000_000_123, createdBy: 'bob' };

describe.each([
  ['one server', false],
  ['a cluster', true],
])('attachment journal on %s', (_, isCluster) => {
  let harness: RedisCacheHarness;
  let cache: RedisAttachmentCache;
  let journal: RedisAttachmentJournal;
  let taskId: string;
  let floor: number;

  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster });
    cache = harness.cache(HOUR_MS);
    journal = harness.journal(HOUR_MS);
  });
  afterAll(() => harness?.close());
  /** A task of which the cache knows everything: `known`, which is nine bytes long. */
  beforeEach(async () => {
    await harness.client.flushall();
    taskId = `t-${randomUUID()}`;
    floor = await fill([sample('known', 2, { content: 'known one' })]);
  });

  const sample = (key: string, version: number, members: Partial<Attachment> = {}) =>
    sampleAttachment({ taskId, key, version, ...members });
  const fill = async (attachments: readonly Attachment[]) => {
    const { token } = await cache.readTask(taskId);
    await cache.fill([{ taskId, organization: ORGANIZATION, token, attachments, withBodies: true, complete: true }]);
    return token.floor;
  };
  const putOf = (attachment: Attachment, organization = ORGANIZATION): JournaledWrite => ({
    organization,
    put: { attachment, event: attachmentCreated(attachment, 'replica-1') },
  });
  const deletionOf = (key: string, version: number, organization = ORGANIZATION): JournaledWrite => {
    const [ref, stamp] = [
      { taskId, key },
      { version, op: randomUUID() },
    ];
    return {
      organization,
      deletion: { ...ref, stamp, force: false, event: attachmentDeleted(ref, stamp, 'al', NOW_MS) },
    };
  };
  const append = (write: JournaledWrite) => journal.append(write, NOW_MS);
  const appendPut = async (key: string, version: number, members: Partial<Attachment> = {}) => {
    const attachment = sample(key, version, members);
    expect(await append(putOf(attachment))).toMatchObject({ state: 'journaled' });
    return attachment;
  };
  const appendDeletion = async (key: string, version: number) => {
    expect(await append(deletionOf(key, version))).toMatchObject({ state: 'journaled' });
  };
  const apply = (attachment: Attachment) => cache.apply(putChange(attachment));
  const applyDeletion = (key: string, version: number) =>
    cache.apply({ taskId, key, stamp: { version, op: randomUUID() }, attachment: null });
  const head = async (): Promise<JournalEntry> => {
    const [[entry] = []] = await journal.oldest();
    if (!entry) throw new Error('the journal is empty');
    return entry;
  };
  const read = async (key: string, organization = ORGANIZATION) =>
    (await cache.read([{ taskId, key }], organization))[0];
  const page = (organization = ORGANIZATION) =>
    cache.readPage({
      taskId,
      organization,
      nowMs: NOW_MS,
      page: { limit: 10, offset: 0, descending: false, includeBodies: true, known: [] },
    });
  const journaled = async (organization = ORGANIZATION) =>
    (await cache.readPage({ taskId, organization, nowMs: NOW_MS })).journaled;
  const control = () => harness.keys.control(taskId);
  const bodyOf = (key: string) => harness.keys.attachment({ taskId, key });
  const journalName = () => harness.keys.journal(harness.keys.shardOf(taskId));
  const deadLettersName = () => harness.keys.deadLetters(harness.keys.shardOf(taskId));
  const lifetimeMs = (name: string) => harness.client.pttl(name);

  describe('a put', () => {
    it('of a new key is taken, answered and kept for the store', async () => {
      const put = await appendPut('new', floor + 2);
      expect(await read('new')).toMatchObject({ attachment: put, journaled: true });
      expect((await page()).page?.entries.map(({ key }) => key)).toEqual(['known', 'new']);
      const entries = await journal.oldest();
      expect(entries).toEqual([[{ ref: { taskId, key: 'new' }, op: put.op, write: putOf(put) }]]);
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 0 });
    });

    it('names the session that took it', async () => {
      const { session } = harness.connection;
      expect(await append(putOf(sample('new', floor + 2)))).toEqual({ state: 'journaled', session });
    });

    it('over a live attachment keeps its identity, for whoever reads it, and announces it', async () => {
      const known = sample('known', 2, IDENTITY);
      await fill([{ ...known, version: 4, op: randomUUID() }]);
      const put = sample('known', floor + 2, { content: 'newer' });
      expect(await append(putOf(put))).toMatchObject({ state: 'journaled', replaced: IDENTITY });
      expect((await read('known'))?.attachment).toEqual({ ...put, ...IDENTITY });
      expect(await harness.client.zscore(harness.keys.index(taskId), 'known')).toBe(String(IDENTITY.createdAtMs));
      expect((await page()).page).toMatchObject({ totalCount: 1, entries: [{ attachment: IDENTITY }] });
      const event = ofStored(attachmentCreated(put, 'replica-1'), IDENTITY.id);
      expect((await head()).write).toEqual({ organization: ORGANIZATION, put: { attachment: put, event } });
    });

    it('keeps the creation time to the millisecond, whenever that was', () =>
      fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: Date.UTC(2400, 0, 1) }), async (createdAtMs) => {
          taskId = `t-${randomUUID()}`;
          floor = await fill([sample('known', 2, { createdAtMs })]);
          const outcome = await append(putOf(sample('known', floor + 2)));
          expect(outcome).toMatchObject({ replaced: { createdAtMs } });
          expect(await harness.client.zscore(harness.keys.index(taskId), 'known')).toBe(String(createdAtMs));
        }),
        { examples: [[Date.UTC(2024, 1, 29)], [Date.UTC(2100, 1, 28, 23, 59, 59, 999)], [Date.UTC(2000, 2, 1)]] },
      ));

    it.each<[string, () => Promise<unknown>]>([
      ['has expired', () => fill([sample('known', 4, { expiresAtMs: NOW_MS })])],
      ['has lost its body', () => harness.evict.body(taskId, 'known')],
      ['cannot be read', () => harness.client.hset(bodyOf('known'), 'createdAt', 'yesterday')],
      ['was deleted', () => appendDeletion('known', floor + 2)],
    ])('replaces nothing where the attachment %s', async (__, lose) => {
      await lose();
      const put = sample('known', floor + 4);
      expect(await append(putOf(put))).toEqual({ state: 'journaled', session: harness.connection.session });
      expect((await read('known'))?.attachment).toEqual(put);
      expect(await harness.client.hget(control(), 'm')).toBe('1');
    });

    it('is superseded by what may have been forgotten, and by what stands there; a repetition is by itself', async () => {
      expect(await append(putOf(sample('new', floor)))).toEqual({ state: 'superseded', version: floor });
      expect(await append(putOf(sample('known', 2)))).toEqual({ state: 'superseded', version: 2 });
      expect(await append(putOf(sample('known', 4)))).toMatchObject({ state: 'journaled' });
      const write = putOf(sample('known', 6));
      await append(write);
      expect(await append(write)).toEqual({ state: 'superseded', version: 6 });
      expect(await journal.backlog()).toMatchObject({ waiting: 2 });
    });

    it('is superseded by a newer deletion, drained or not', async () => {
      await appendDeletion('known', floor + 2);
      expect(await append(putOf(sample('known', floor + 2)))).toEqual({ state: 'superseded', version: floor + 2 });
      await journal.settle(await head(), { state: 'applied' });
      expect(await append(putOf(sample('known', floor + 1)))).toEqual({ state: 'superseded', version: floor + 2 });
      await appendPut('known', floor + 4);
    });

    it('brings its own expiry', async () => {
      await appendPut('brief', floor + 2, { expiresAtMs: NOW_MS + 1000 });
      expect((await page()).page?.totalCount).toBe(2);
      const later = { taskId, organization: ORGANIZATION, nowMs: NOW_MS + 1000 };
      const whole = { limit: 10, offset: 0, descending: false, includeBodies: false, known: [] };
      const found = await cache.readPage({ ...later, page: whole });
      expect(found.page).toBeUndefined();
      expect(await journaled()).toMatchObject([{ key: 'brief', version: floor + 2 }]);
    });
  });

  describe('a deletion', () => {
    it('is taken and answered, with the identity that goes', async () => {
      const { createdAtMs, createdBy, id } = sample('known', 2);
      const write = deletionOf('known', floor + 2);
      expect(await append(write)).toMatchObject({ state: 'journaled', replaced: { id, createdAtMs, createdBy } });
      expect(await read('known')).toMatchObject({
        attachment: undefined,
        deletedVersion: floor + 2,
        journaled: true,
      });
      expect((await page()).page).toEqual({ totalCount: 0, entries: [] });
      expect(await harness.client.exists(bodyOf('known'))).toBe(0);
      const { deletion } = write as Extract<JournaledWrite, { deletion: unknown }>;
      expect((await head()).write).toEqual({
        organization: ORGANIZATION,
        deletion: { ...deletion, event: ofStored(deletion.event, id) },
      });
    });

    it.each<[string, () => Promise<unknown>]>([
      ['is not known', () => harness.client.hdel(control(), 'r:known')],
      ['has expired', () => fill([sample('known', 4, { expiresAtMs: NOW_MS })])],
      ['was deleted', () => appendDeletion('known', floor + 2)],
    ])('is not judged where the attachment %s', async (__, lose) => {
      await lose();
      const { waiting } = await journal.backlog();
      expect(await append(deletionOf('known', floor + 4))).toEqual({ state: 'unknown' });
      expect(await journal.backlog()).toMatchObject({ waiting });
    });

    it('of an attachment without its body does not know the identity that goes', async () => {
      await harness.evict.body(taskId, 'known');
      expect(await append(deletionOf('known', floor + 2))).toEqual({
        state: 'journaled',
        session: harness.connection.session,
      });
    });

    it('hides what fills and changes bring late', async () => {
      await appendDeletion('known', floor + 4);
      await fill([sample('known', floor + 2)]);
      await apply(sample('known', floor + 2));
      expect(await read('known')).toMatchObject({ attachment: undefined, deletedVersion: floor + 4 });
    });
  });

  describe('a task', () => {
    const writes = () => [putOf(sample('new', floor + 2)), deletionOf('known', floor + 2)];

    it('that is not known, or not known to exist, takes nothing', async () => {
      await harness.evict.control(taskId);
      for (const write of writes()) expect(await append(write)).toEqual({ state: 'unknown' });
      await cache.readTask(taskId);
      for (const write of writes()) expect(await append(write)).toEqual({ state: 'unknown' });
      expect(await journal.oldest()).toEqual([]);
    });

    it('of another organisation is missing, and shows nothing of what waits', async () => {
      for (const write of writes())
        expect(await append({ ...write, organization: 'other' })).toEqual({ state: 'task-missing' });
      await appendPut('new', floor + 2);
      await appendDeletion('known', floor + 2);
      for (const key of ['new', 'known']) {
        const found = await read(key, 'other');
        expect(found).toMatchObject({ journaled: false });
        expect([found?.attachment, found?.deletedVersion]).toEqual([undefined, undefined]);
      }
      expect(await journaled('other')).toEqual([]);
      expect(await journaled()).toHaveLength(2);
    });

    it('that is deleted is missing', async () => {
      await appendPut('new', floor + 2);
      await cache.wipe(taskId, floor + 4);
      for (const write of writes()) expect(await append(write)).toEqual({ state: 'task-missing' });
      expect(await journaled()).toEqual([]);
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
    });
  });

  describe('pages', () => {
    it('tell whether anything waits', async () => {
      expect((await page()).journaled).toEqual([]);
      await appendPut('new', floor + 2);
      expect(await page()).toMatchObject({ page: { totalCount: 2 } });
      expect((await page()).journaled).toBeUndefined();
      await journal.settle(await head(), { state: 'applied' });
      expect((await page()).journaled).toEqual([]);
    });

    it('tell what waits where they are not known', async () => {
      const put = await appendPut('new', floor + 2, { content: 'grün' });
      await appendDeletion('known', floor + 4);
      await harness.evict.index(taskId);
      const { content: _content, ...outline } = put;
      expect((await page()).page).toBeUndefined();
      expect((await page()).journaled).toBeUndefined();
      expect((await journaled())?.toSorted((a, b) => a.version - b.version)).toEqual([
        { key: 'new', version: floor + 2, attachment: outline },
        { key: 'known', version: floor + 4, attachment: null },
      ]);
      await journal.settle(await head(), { state: 'applied' });
      expect(await journaled()).toEqual([{ key: 'known', version: floor + 4, attachment: null }]);
    });

    it('leave out what waits and cannot be read', async () => {
      await appendPut('new', floor + 2);
      await harness.client.hset(bodyOf('new'), 'op', randomUUID());
      expect(await journaled()).toEqual([]);
      await appendPut('broken', floor + 2);
      await harness.client.hset(bodyOf('broken'), 'updatedAt', '');
      expect(await journaled()).toEqual([]);
      expect(await read('broken')).toMatchObject({ attachment: undefined, journaled: false });
    });
  });

  describe('settling', () => {
    it('an applied put: an ordinary record from then on, under the identity that the store has', async () => {
      const put = await appendPut('new', floor + 2);
      await journal.settle(await head(), { state: 'applied', identity: IDENTITY });
      expect(await read('new')).toMatchObject({ attachment: { ...put, ...IDENTITY }, journaled: false });
      expect((await page()).page?.entries.map(({ key }) => key)).toEqual(['new', 'known']);
      expect(await harness.client.zscore(harness.keys.index(taskId), 'new')).toBe(String(IDENTITY.createdAtMs));
      expect(await journal.oldest()).toEqual([]);
      expect(await journaled()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
    });

    it('an applied deletion: nothing is known of it any more', async () => {
      await appendDeletion('known', floor + 2);
      await journal.settle(await head(), { state: 'applied' });
      const found = await read('known');
      expect([found?.attachment, found?.deletedVersion, found?.journaled]).toEqual([undefined, undefined, false]);
      expect((await page()).page?.totalCount).toBe(0);
    });

    it('a superseded put: it stays until the newer one is told', async () => {
      const put = await appendPut('new', floor + 2);
      await journal.settle(await head(), { state: 'superseded' });
      expect(await read('new')).toMatchObject({ attachment: put, journaled: false });
      await apply(sample('new', floor + 4));
      expect((await read('new'))?.attachment?.version).toBe(floor + 4);
    });

    it('a refused write: a dead letter, and nothing is known under its key', async () => {
      await appendPut('known', floor + 2);
      await appendDeletion('known', floor + 4);
      const texts = await harness.client.lrange(journalName(), 0, -1);
      await journal.settle(await head(), { state: 'refused' });
      expect(await read('known')).toMatchObject({ deletedVersion: floor + 4 });
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });

      await journal.settle(await head(), { state: 'refused' });
      expect(await read('known')).toMatchObject({ journaled: false, token: { floor: floor + 4 } });
      expect((await page()).page).toBeUndefined();
      expect(await harness.client.lrange(deadLettersName(), 0, -1)).toEqual(texts);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 2 });
    });

    it('leaves alone what has been written over the entry', async () => {
      await appendPut('new', floor + 2);
      const newer = sample('new', floor + 4);
      await apply(newer);
      await journal.settle(await head(), { state: 'applied', identity: IDENTITY });
      expect((await read('new'))?.attachment).toEqual(newer);
    });

    it('does nothing unless the entry is the oldest, and nothing twice', async () => {
      await appendPut('first', floor + 2);
      await appendPut('second', floor + 4);
      const [[first, second] = []] = (await journal.oldest()) as [JournalEntry[]];
      await journal.settle(second as JournalEntry, { state: 'applied' });
      expect(await journal.backlog()).toMatchObject({ waiting: 2 });
      await journal.settle(first as JournalEntry, { state: 'applied' });
      await journal.settle(first as JournalEntry, { state: 'refused' });
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 0 });
      expect((await read('second'))?.journaled).toBe(true);
    });

    it('does not invent a task that has been forgotten', async () => {
      await appendPut('new', floor + 2);
      await harness.evict.control(taskId);
      await journal.settle(await head(), { state: 'applied', identity: IDENTITY });
      expect(await harness.client.exists(control())).toBe(0);
      expect(await journal.backlog()).toMatchObject({ waiting: 0 });
    });
  });

  describe('changes that the store has made', () => {
    it('are told of a newer journaled write, drained or not', async () => {
      const put = await appendPut('known', floor + 10);
      const newer = { newer: floor + 10, session: harness.connection.session };
      const expectNewer = async () => {
        expect(await apply(sample('known', floor + 4))).toEqual(newer);
        expect(await apply(sample('known', floor + 10))).toEqual(newer);
        expect(await applyDeletion('known', floor + 6)).toEqual(newer);
      };
      await expectNewer();
      expect((await apply(put)).newer).toBeUndefined();
      await journal.settle(await head(), { state: 'applied' });
      await expectNewer();
      expect((await read('known'))?.attachment).toEqual(put);
    });

    it('are told of a newer journaled deletion, drained or not', async () => {
      await appendDeletion('known', floor + 10);
      expect((await apply(sample('known', floor + 4))).newer).toBe(floor + 10);
      await journal.settle(await head(), { state: 'applied' });
      expect((await apply(sample('known', floor + 4))).newer).toBe(floor + 10);
      expect((await applyDeletion('known', floor + 4)).newer).toBe(floor + 10);
    });

    it('are not told of what the store has made itself', async () => {
      await appendPut('known', floor + 2);
      await apply(sample('known', floor + 10));
      expect((await apply(sample('known', floor + 4))).newer).toBeUndefined();
      expect((await applyDeletion('known', floor + 4)).newer).toBeUndefined();
    });
  });

  describe('lifetimes', () => {
    it('are none while anything waits, and begin again', async () => {
      await appendPut('a', floor + 2);
      await appendPut('b', floor + 4);
      for (const name of [control(), bodyOf('a'), bodyOf('b')]) expect(await lifetimeMs(name)).toBe(-1);
      expect(await lifetimeMs(bodyOf('known'))).toBeGreaterThan(0);

      await journal.settle(await head(), { state: 'applied' });
      expect(await lifetimeMs(bodyOf('a'))).toBeGreaterThan(0);
      for (const name of [control(), bodyOf('b')]) expect(await lifetimeMs(name)).toBe(-1);

      await journal.settle(await head(), { state: 'superseded' });
      for (const name of [control(), bodyOf('b')]) expect(await lifetimeMs(name)).toBeGreaterThan(0);
    });

    it('are none while an older version waits under the same key', async () => {
      await appendPut('a', floor + 2);
      await appendPut('a', floor + 4);
      await journal.settle(await head(), { state: 'applied' });
      for (const name of [control(), bodyOf('a')]) expect(await lifetimeMs(name)).toBe(-1);
      expect(await read('a')).toMatchObject({ journaled: true, attachment: { version: floor + 4 } });
    });

    it('are none for a deletion that waits, nor for a deleted task with entries', async () => {
      await appendDeletion('known', floor + 2);
      expect(await lifetimeMs(control())).toBe(-1);
      await cache.wipe(taskId, floor + 4);
      expect(await lifetimeMs(control())).toBe(-1);
      await journal.settle(await head(), { state: 'superseded' });
      expect(await lifetimeMs(control())).toBeGreaterThan(0);
    });
  });

  describe('what it gives back', () => {
    it('is every type as it was, in the order of the writes', async () => {
      const writes = oneOfEachType(taskId).map((attachment, i) => putOf({ ...attachment, version: floor + 2 + 2 * i }));
      for (const write of writes) await append(write);
      const [entries] = await journal.oldest();
      expect(entries?.map(({ write }) => write)).toEqual(writes);
    });

    it('is the text of a value to the letter', async () => {
      const text = '{"10":1.50,"2":1e2,"b":"\\u00e9\\/","a":{},"a":"\\ud800"}';
      await appendPut('v', floor + 2, { type: 'json', value: JsonText.restore(text) });
      const { write } = await head();
      expect('put' in write && write.put.attachment.value?.text).toBe(text);
    });

    it('is a hundred entries at most', async () => {
      for (let i = 1; i <= 120; i++) await append(putOf(sample(`k${i}`, floor + 2 * i)));
      const [entries] = await journal.oldest();
      expect(entries).toHaveLength(100);
      expect(await journal.backlog()).toMatchObject({ waiting: 120 });
    });

    it('is not more than a replica can hold, and yet all of it in the end', async () => {
      const content = 'x'.repeat(MIB);
      const keys = Array.from({ length: 7 }, (__, i) => `large${i}`);
      for (const [i, key] of keys.entries()) await appendPut(key, floor + 2 + 2 * i, { content });
      const drained: string[] = [];
      while (drained.length < keys.length) {
        const [entries = []] = await journal.oldest();
        expect(entries.length).toBeGreaterThan(0);
        expect(entries.length).toBeLessThanOrEqual(5);
        for (const entry of entries) {
          await journal.settle(entry, { state: 'applied' });
          drained.push(entry.ref.key);
        }
      }
      expect(drained).toEqual(keys);
      expect((await read('large6'))?.attachment?.content).toBe(content);
    });

    it('is one entry at least, however large', async () => {
      await appendPut('huge', floor + 2, { content: 'x'.repeat(5 * MIB) });
      await appendPut('small', floor + 4);
      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['huge', 'small']);
    });

    it('is each part of the journal by itself', async () => {
      const others = Array.from({ length: 8 }, () => `t-${randomUUID()}`);
      for (taskId of others) {
        floor = await fill([]);
        await appendPut('a', floor + 2);
        await appendPut('b', floor + 4);
      }
      const parts = new Map<number, string[]>();
      for (const id of others) {
        const shard = harness.keys.shardOf(id);
        parts.set(shard, [...(parts.get(shard) ?? []), `${id} a`, `${id} b`]);
      }
      const found = (await journal.oldest()).map((part) => part.map(({ ref }) => `${ref.taskId} ${ref.key}`));
      expect(found.toSorted()).toEqual([...parts.values()].toSorted());
      expect(await journal.backlog()).toMatchObject({ waiting: 16 });
    });
  });

  describe('what it cannot make sense of', () => {
    const broken = (change: (entry: string) => string) => async () => {
      const [text] = (await harness.client.lrange(journalName(), 0, 0)) as [string];
      return change(text);
    };
    const corruptions: [string, () => Promise<string>][] = [
      ['no entry at all', () => Promise.resolve('x')],
      ['no op', broken((text) => text.slice(1))],
      ['half of one', broken((text) => text.slice(0, text.length / 2))],
      ['no object', broken((text) => `${text.slice(0, 38)} []`)],
      ['no write', broken((text) => text.replace('"put"', '"putt"'))],
      ['an attachment without its content', broken((text) => text.replace('"content"', '"contents"'))],
      ['the attachment of another write', broken((text) => text.replace('"op":"', '"op":"0'))],
      ['another attachment', broken((text) => text.replace('"key":"a"', '"key":"b"'))],
      ['the event of another write', broken((text) => text.replace('"eventId":"', '"eventId":"0'))],
      ['an unknown event', broken((text) => text.replace('task.attachment_created', 'task.created_attachment'))],
      ['no event', broken((text) => text.replace('"event"', '"no event"'))],
    ];

    it.each(corruptions)('goes to the dead letters once it is the oldest: %s', async (__, corrupt) => {
      await appendPut('a', floor + 2);
      const text = await corrupt();
      expect(text).not.toBe(await harness.client.lindex(journalName(), 0));
      await harness.client.rpush(journalName(), text);
      await appendPut('b', floor + 4);

      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['a']);
      await journal.settle(await head(), { state: 'applied' });
      expect((await journal.oldest()).flat().map(({ ref }) => ref.key)).toEqual(['b']);
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });
      expect(await harness.client.lrange(deadLettersName(), 0, -1)).toEqual([text]);
    });

    it('goes to the dead letters alone, though two replicas find it', async () => {
      await appendPut('a', floor + 2);
      await harness.client.lpush(journalName(), 'x');
      await Promise.all([journal.oldest(), journal.oldest()]);
      expect((await head()).ref.key).toBe('a');
      expect(await journal.backlog()).toEqual({ waiting: 1, deadLetters: 1 });
    });

    it('goes to the dead letters: a deletion without its version', async () => {
      await appendDeletion('known', floor + 2);
      const [text] = (await harness.client.lrange(journalName(), 0, 0)) as [string];
      await harness.client.lset(journalName(), 0, text.replace('"version":', '"versions":'));
      expect(await journal.oldest()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    });

    it('is overwritten: a journal, dead letters that are no lists', async () => {
      await harness.client.set(journalName(), 'x');
      await harness.client.set(deadLettersName(), 'x');
      expect(await journal.oldest()).toEqual([]);
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
      await appendPut('new', floor + 2);
      await journal.settle(await head(), { state: 'refused' });
      expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    });

    it('stops no settling: a journal that is no list', async () => {
      await appendPut('new', floor + 2);
      const entry = await head();
      await harness.client.set(journalName(), 'x');
      await journal.settle(entry, { state: 'applied' });
      expect((await read('new'))?.journaled).toBe(true);
    });

    it.each(['x', '-1', '', '1e9', '99999999999999999999'])('counts anew from a count of %j', async (count) => {
      await harness.client.hset(control(), 'n', count);
      await appendPut('new', floor + 2);
      expect(await harness.client.hget(control(), 'n')).toBe('1');
      await harness.client.hset(control(), 'n', count);
      await journal.settle(await head(), { state: 'applied' });
      expect(await harness.client.hget(control(), 'n')).toBe('0');
    });

    it('takes nothing for a control that is none', async () => {
      await harness.client.set(control(), 'x');
      expect(await append(putOf(sample('new', floor + 2)))).toEqual({ state: 'unknown' });
    });

    it('overwrites a body that is none', async () => {
      await harness.client.set(bodyOf('known'), 'x');
      const put = await appendPut('known', floor + 2);
      expect((await read('known'))?.attachment).toEqual(put);
      await harness.client.set(bodyOf('known'), 'x');
      await journal.settle(await head(), { state: 'applied', identity: IDENTITY });
      expect((await read('known'))?.attachment).toBeUndefined();
    });
  });

  it('has the documented names', async () => {
    await appendPut('a', floor + 2);
    await appendPut('b', floor + 4);
    await journal.settle(await head(), { state: 'refused' });
    const prefix = isCluster ? `{${String(harness.keys.shardOf(taskId)).padStart(2, '0')}}` : '';
    const lists = (await harness.client.keys('*')).filter((name) => !name.includes('cb:task:'));
    expect(lists.toSorted()).toEqual([`${prefix}cb:dead-letters`, `${prefix}cb:journal`]);
  });
});

it('is no journal where nothing outlives the process', async () => {
  const journal = new NoAttachmentJournal();
  const unavailable = { store: 'redis', outcome: 'unavailable' };
  await expect(journal.append()).rejects.toMatchObject(unavailable);
  await expect(journal.settle()).rejects.toMatchObject(unavailable);
  expect(await journal.oldest()).toEqual([]);
  expect(await journal.backlog()).toEqual({ waiting: 0, deadLetters: 0 });
});
