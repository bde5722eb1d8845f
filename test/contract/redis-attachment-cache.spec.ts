import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { JsonText } from '../../src/core/domain/json-text';
import { versionAt } from '../../src/core/domain/version';
import { putChange, type Fill, type PageRequest, type ProjectionCursor } from '../../src/core/ports/attachment-cache';
import { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { CountingRoom } from '../support/counting-room';
import { startCountingProxy } from '../support/counting-proxy';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { oneOfEachType, sampleAttachment } from '../support/sample-attachment';

const HOUR_MS = 3_600_000;
const LONGEST_TEST_MS = 60_000;

describe('attachment cache in Redis', () => {
  let harness: RedisCacheHarness;
  let cache: RedisAttachmentCache;
  let taskId: string;
  let attachments: Attachment[];
  let floor: number;
  let generation: number;

  const fillOf = (all: readonly Attachment[], complete = true, token = { floor, generation }): Fill => ({
    taskId,
    organization: 'acme',
    token,
    attachments: all,
    withBodies: true,
    complete,
  });
  const refill = async () => {
    const { token } = await cache.readTask(taskId);
    await cache.fill([fillOf(attachments, true, token)]);
  };
  const get = async (key: string) => (await cache.read([{ taskId, key }], 'acme'))[0]?.attachment;
  const requestFor = (page: Partial<PageRequest['page']> = {}): PageRequest => {
    const whole = { limit: 100, offset: 0, descending: false, includeBodies: true, known: [], ...page };
    return { taskId, organization: 'acme', nowMs: Date.now(), page: whole };
  };
  const page = async (request: Partial<PageRequest['page']> = {}) => (await cache.readPage(requestFor(request))).page;
  const nameOf = (key: string) => harness.keys.attachment({ taskId, key });

  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster: false });
    cache = harness.cache(HOUR_MS);
  });
  afterAll(() => harness?.close());
  beforeEach(async () => {
    taskId = `t-${randomUUID()}`;
    attachments = ['a', 'b', 'c'].map((key) => sampleAttachment({ taskId, key }));
    ({ floor, generation } = (await cache.readTask(taskId)).token);
    await cache.fill([fillOf(attachments)]);
  });

  describe('the stored data', () => {
    it('has the documented names', async () => {
      expect((await harness.client.keys(`cb:task:${taskId}:*`)).sort()).toEqual([
        `cb:task:${taskId}:attachment:a`,
        `cb:task:${taskId}:attachment:b`,
        `cb:task:${taskId}:attachment:c`,
        `cb:task:${taskId}:attachments`,
        `cb:task:${taskId}:control`,
      ]);
    });

    it('has the documented members in each hash, and no member that the attachment lacks', async () => {
      const [json] = oneOfEachType(taskId) as [Attachment];
      const full = { ...json, size: 7, mimeType: 'application/json', expiresAtMs: Date.UTC(2100, 0, 1) };
      await cache.fill([fillOf([full, ...attachments])]);
      const members = {
        id: 'ta-1767323045678-abcdefghi',
        taskId,
        createdBy: 'alice',
        createdAt: '2026-01-02T03:04:05.678Z',
        updatedAt: '2026-01-02T03:04:05.679Z',
        version: '2',
      };
      expect(await harness.client.hgetall(nameOf('json'))).toEqual({
        ...members,
        key: 'json',
        type: 'json',
        value: '{"b":1,"a":[true,null]}',
        size: '7',
        mimeType: 'application/json',
        expiresAt: '2100-01-01T00:00:00.000Z',
        op: json.op,
      });
      const [a] = attachments as [Attachment];
      expect(await harness.client.hgetall(nameOf('a'))).toEqual({
        ...members,
        key: 'a',
        type: 'text',
        content: 'hello',
        op: a.op,
      });
    });

    it('has the creation time in ms as the score', async () => {
      expect(await harness.client.zrange(harness.keys.index(taskId), 0, -1, 'WITHSCORES')).toEqual(
        attachments.flatMap(({ key, createdAtMs }) => [key, String(createdAtMs)]),
      );
    });

    it('has large numbers with all their digits', async () => {
      const version = versionAt(Date.UTC(2090, 0, 1)) + 1;
      await cache.apply(putChange(sampleAttachment({ taskId, key: 'late', version })));
      await cache.apply({ taskId, key: 'gone', stamp: { version: version + 2, op: randomUUID() }, attachment: null });
      expect((await get('late'))?.version).toBe(version);
      expect((await cache.readTask(taskId)).token.floor).toBe(version + 2);
    });

    it('has a floor 100 ms ahead of the clock of Redis', async () => {
      const timeMs = async () => {
        const [seconds, microseconds] = await harness.client.time();
        return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
      };
      const beforeMs = await timeMs();
      const { token } = await cache.readTask(`t-${randomUUID()}`);
      expect(token.floor).toBeGreaterThanOrEqual(versionAt(beforeMs + 100));
      expect(token.floor).toBeLessThanOrEqual(versionAt((await timeMs()) + 100));
    });
  });

  describe('lifetimes', () => {
    const lifetimeMs = (name: string) => harness.client.pttl(name);
    const names = () => [harness.keys.control(taskId), harness.keys.index(taskId), nameOf('a')];
    const expectAbout = (actualMs: number, expectedMs: number) => {
      expect(actualMs).toBeLessThanOrEqual(expectedMs);
      expect(actualMs).toBeGreaterThan(expectedMs - LONGEST_TEST_MS / 2);
    };

    it('have the given length after a fill, and one minute before the first fill', async () => {
      for (const name of names()) expectAbout(await lifetimeMs(name), HOUR_MS);
      const unfilled = `t-${randomUUID()}`;
      await cache.readTask(unfilled);
      expectAbout(await lifetimeMs(harness.keys.control(unfilled)), 60_000);
    });

    it('start again with every change', async () => {
      for (const name of names()) await harness.client.pexpire(name, 60_000);
      await cache.apply(putChange(sampleAttachment({ taskId, key: 'a', version: floor + 2 })));
      for (const name of names()) expectAbout(await lifetimeMs(name), HOUR_MS);
      for (const name of names()) await harness.client.pexpire(name, 60_000);
      await cache.apply({ taskId, key: 'b', stamp: { version: floor + 4, op: randomUUID() }, attachment: null });
      const [control, index] = names() as [string, string];
      for (const name of [control, index]) expectAbout(await lifetimeMs(name), HOUR_MS);
      await harness.client.pexpire(control, 60_000);
      await cache.wipe(taskId, floor + 6);
      expectAbout(await lifetimeMs(control), HOUR_MS);
    });

    it('are suspended for journaled data', async () => {
      const [a] = attachments as [Attachment];
      const control = harness.keys.control(taskId);
      await harness.client.hset(control, { n: 1, 'r:a': `${a.version} ${a.op} journaled live 0` });
      await cache.fill([fillOf(attachments)]);
      expect(await lifetimeMs(control)).toBe(-1);
      expect(await lifetimeMs(nameOf('a'))).toBe(-1);
      expectAbout(await lifetimeMs(nameOf('b')), HOUR_MS);
      await cache.apply(putChange(sampleAttachment({ taskId, key: 'b', version: floor + 2 })));
      expect(await lifetimeMs(control)).toBe(-1);
    });
  });

  describe('journaled deletions', () => {
    const tombstone = (mark: string, version: number) =>
      harness.client.hset(harness.keys.control(taskId), 'r:gone', `${version} ${randomUUID()} ${mark} deleted 0`);

    it('hide the attachment, and older versions of it', async () => {
      await tombstone('journaled', floor + 4);
      const late = sampleAttachment({ taskId, key: 'gone', version: floor + 2 });
      await cache.fill([fillOf([...attachments, late])]);
      await cache.apply(putChange(late));
      expect(await get('gone')).toBeUndefined();
      expect((await page())?.totalCount).toBe(3);
    });

    it.each([
      ['journaled', true],
      ['drained', false],
    ])('that are %s make the key known to a newer put below the floor: %p', async (mark, isKnown) => {
      await tombstone(mark, 2);
      await cache.apply(putChange(sampleAttachment({ taskId, key: 'gone', version: 4 })));
      expect((await get('gone')) !== undefined).toBe(isKnown);
      expect((await page()) !== undefined).toBe(isKnown);
    });
  });

  describe('a page that must include changes', () => {
    const holds = async (key: string, version: number, deleted: boolean) => {
      const found = await cache.readPage(requestFor({ known: [{ key, version, deleted }] }));
      return found.page !== undefined;
    };
    const tombstone = (mark: string, version: number) =>
      harness.client.hset(harness.keys.control(taskId), 'r:gone', `${version} ${randomUUID()} ${mark} deleted 0`);

    it('is returned if a journaled deletion has overtaken them', async () => {
      await tombstone('journaled', floor + 4);
      expect([await holds('gone', floor + 2, false), await holds('gone', floor + 6, false)]).toEqual([true, false]);
      expect([await holds('gone', floor + 2, true), await holds('gone', floor + 6, true)]).toEqual([true, true]);
    });

    it('is not returned if a drained deletion has overtaken a put', async () => {
      await tombstone('drained', floor + 4);
      expect([await holds('gone', floor + 2, false), await holds('gone', floor + 2, true)]).toEqual([false, true]);
    });
  });

  it('ignores a fill of an earlier generation', async () => {
    const changed = attachments.map((attachment) => ({ ...attachment, version: 4, op: randomUUID() }));
    await cache.fill([fillOf(changed, true, { floor, generation: generation - 1 })]);
    expect(await get('a')).toEqual(attachments[0]);
    await cache.fill([fillOf(changed)]);
    expect(await get('a')).toEqual(changed[0]);
  });

  describe('losses', () => {
    it.each<[string, () => Promise<void>]>([
      ['a body', () => harness.evict.body(taskId, 'b')],
      ['the index', () => harness.evict.index(taskId)],
      ['an entry of the index', () => harness.evict.indexEntry(taskId, 'b')],
      ['the control', () => harness.evict.control(taskId)],
    ])('are healed by a complete fill: %s', async (_, lose) => {
      await lose();
      const lost = await page();
      expect(lost?.entries.every(({ attachment }) => attachment)).not.toBe(true);
      await refill();
      expect((await page())?.entries.map(({ attachment }) => attachment)).toEqual(attachments);
      expect(await get('b')).toEqual(attachments[1]);
    });

    it('of the control bring back nothing that was deleted meanwhile', async () => {
      await harness.evict.control(taskId);
      attachments.pop();
      await refill();
      expect((await page())?.entries.map(({ attachment }) => attachment)).toEqual(attachments);
    });

    it('of a body leave the rest of the page usable', async () => {
      await harness.evict.body(taskId, 'b');
      for (const includeBodies of [true, false]) {
        const entries = (await page({ includeBodies }))?.entries;
        expect(entries?.map(({ key, attachment }) => [key, attachment?.key])).toEqual([
          ['a', 'a'],
          ['b', undefined],
          ['c', 'c'],
        ]);
      }
    });
  });

  describe('corrupted data', () => {
    const corruptions: [string, () => Promise<unknown>][] = [
      ['a string in place of a hash', () => harness.client.set(nameOf('a'), 'x')],
      ['the hash of another version', () => harness.client.hset(nameOf('a'), 'op', randomUUID())],
      ['the hash of another attachment', () => harness.client.hset(nameOf('a'), 'key', 'b')],
      ['a hash without its type', () => harness.client.hdel(nameOf('a'), 'type')],
      ['an unknown type', () => harness.client.hset(nameOf('a'), 'type', 'image')],
      ['a hash without its content', () => harness.client.hdel(nameOf('a'), 'content')],
      ['a broken time', () => harness.client.hset(nameOf('a'), 'createdAt', 'yesterday')],
      ['a broken expiry', () => harness.client.hset(nameOf('a'), 'expiresAt', '')],
      ['a broken version', () => harness.client.hset(nameOf('a'), 'version', '1.5')],
      ['a broken size', () => harness.client.hset(nameOf('a'), 'size', '-1')],
      ['a broken record', () => harness.client.hset(harness.keys.control(taskId), 'r:a', 'x')],
      ['no record', () => harness.client.hdel(harness.keys.control(taskId), 'r:a')],
      ['a string in place of the control', () => harness.client.set(harness.keys.control(taskId), 'x')],
      ['a broken floor', () => harness.client.hset(harness.keys.control(taskId), 'f', 'x')],
      ['a floor that is not a number', () => harness.client.hset(harness.keys.control(taskId), 'f', 'nan')],
      ['a floor that is not exact', () => harness.client.hset(harness.keys.control(taskId), 'f', '9'.repeat(20))],
      ['a broken count', () => harness.client.hset(harness.keys.control(taskId), 'm', '')],
    ];
    it.each(corruptions)('is a miss until a complete fill heals it: %s', async (_, corrupt) => {
      await corrupt();
      expect(await get('a')).toBeUndefined();
      for (const includeBodies of [true, false]) {
        const found = (await page({ includeBodies }))?.entries.find(({ key }) => key === 'a');
        expect(found?.attachment).toBeUndefined();
      }
      await refill();
      expect(await get('a')).toEqual(attachments[0]);
      await refill();
      expect((await page())?.entries.map(({ attachment }) => attachment)).toEqual(attachments);
    });

    it('is a miss until a complete fill heals it: a broken JSON value', async () => {
      attachments.push(sampleAttachment({ taskId, key: 'd', type: 'json', value: JsonText.of([1]) }));
      await refill();
      await harness.client.hset(nameOf('d'), 'value', '[1');
      expect(await get('d')).toBeUndefined();
      await refill();
      expect(await get('d')).toEqual(attachments[3]);
    });

    it.each<[string, () => Promise<unknown>]>([
      ['a string in place of the index', () => harness.client.set(harness.keys.index(taskId), 'x')],
      ['a foreign entry in the index', () => harness.client.zadd(harness.keys.index(taskId), 1, 'foreign')],
      ['a wrong count', () => harness.client.hset(harness.keys.control(taskId), 'm', '7')],
      ['a broken expiry', () => harness.client.hset(harness.keys.control(taskId), 'x', 'soon')],
      [
        'a foreign entry instead of another',
        async () => {
          await harness.evict.indexEntry(taskId, 'c');
          await harness.client.zadd(harness.keys.index(taskId), 1, 'foreign');
        },
      ],
    ])('makes the page unknown until complete fills heal it: %s', async (_, corrupt) => {
      await corrupt();
      expect(await page()).toBeUndefined();
      await refill();
      await refill();
      expect((await page())?.entries.map(({ attachment }) => attachment)).toEqual(attachments);
    });

    it('is overwritten by a put', async () => {
      await harness.client.set(nameOf('a'), 'x');
      await harness.client.set(harness.keys.index(taskId), 'x');
      const put = sampleAttachment({ taskId, key: 'a', version: floor + 2 });
      await cache.apply(putChange(put));
      expect(await get('a')).toEqual(put);
    });

    it('does not prevent a deletion', async () => {
      await harness.client.set(nameOf('a'), 'x');
      await harness.client.set(harness.keys.index(taskId), 'x');
      await cache.apply({ taskId, key: 'a', stamp: { version: floor + 2, op: randomUUID() }, attachment: null });
      await cache.wipe(taskId, floor + 4);
      expect(await harness.client.keys(`cb:task:${taskId}:*`)).toEqual([harness.keys.control(taskId)]);
    });
  });

  it('loads its scripts again after Redis has dropped them', async () => {
    await harness.client.script('FLUSH');
    const other = { taskId: `t-${randomUUID()}`, key: 'a' };
    const found = await cache.read([{ taskId, key: 'a' }, other, { taskId, key: 'b' }], 'acme');
    expect(found.map(({ attachment }) => attachment?.key)).toEqual(['a', undefined, 'b']);
    await harness.client.script('FLUSH');
    await cache.fill([fillOf(attachments)]);
    expect(await page()).toMatchObject({ totalCount: 3 });
  });

  it('makes no more round trips than it promises', async () => {
    const proxy = await startCountingProxy(harness.server.port);
    const url = `redis://127.0.0.1:${proxy.port}`;
    const connection = new RedisConnection({ url, isCluster: false, onChange: () => undefined });
    try {
      connection.connect();
      await connection.waitUntilReady(10_000);
      const counted = new RedisAttachmentCache(connection, harness.keys, HOUR_MS);
      const roundTrips = async (call: Promise<unknown>) => {
        await call;
        return proxy.takeRoundTrips();
      };
      const others = Array.from({ length: 20 }, () => `t-${randomUUID()}`);
      const token = { floor, generation: connection.generation };
      const fills = others.map((id) => ({ ...fillOf([], false, token), taskId: id }));
      const [a] = attachments as [Attachment];
      proxy.takeRoundTrips();
      expect(await roundTrips(counted.read([a], 'acme'))).toBe(1);
      expect(
        await roundTrips(
          counted.read(
            others.map((id) => ({ taskId: id, key: 'a' })),
            'acme',
          ),
        ),
      ).toBe(1);
      expect(await roundTrips(counted.readTask(taskId))).toBe(1);
      expect(await roundTrips(counted.readPage(requestFor()))).toBe(1);
      expect(await roundTrips(counted.readPage({ ...requestFor(), room: new CountingRoom() }))).toBe(2);
      expect(await roundTrips(counted.readPage(requestFor({ includeBodies: false })))).toBe(1);
      expect(await roundTrips(counted.readPage(requestFor({ offset: 3 })))).toBe(1);
      expect(await roundTrips(counted.apply(putChange({ ...a, version: floor + 2 })))).toBe(1);
      expect(await roundTrips(counted.fill(fills))).toBe(1);
      expect(await roundTrips(counted.wipe(taskId, floor + 4))).toBe(1);
      const [cursor] = (await counted.cursors()) as [ProjectionCursor];
      expect(proxy.takeRoundTrips()).toBe(1);
      const changes = others.map((id) => ({ kind: 'task-deleted' as const, taskId: id, version: floor }));
      expect(await roundTrips(counted.project(cursor, changes, 1))).toBe(1);
    } finally {
      await connection.close();
      await proxy.close();
    }
  });
});
