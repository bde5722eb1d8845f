import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { attachmentCreated, attachmentDeleted } from '../../src/core/domain/domain-event';
import { putChange, type ProjectionCursor } from '../../src/core/ports/attachment-cache';
import type { OutboxChange } from '../../src/core/ports/outbox';
import type { RedisAttachmentCache } from '../../src/outbound/redis/redis-attachment-cache';
import type { RedisAttachmentJournal } from '../../src/outbound/redis/redis-attachment-journal';
import { openRedisHarness, type RedisCacheHarness } from '../support/redis-cache-harness';
import { sampleAttachment } from '../support/sample-attachment';

const ORGANIZATION = 'acme';
const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 5, 1);

describe.each([
  ['one server', false],
  ['a cluster', true],
])('projection into the cache on %s', (_, isCluster) => {
  let harness: RedisCacheHarness;
  let cache: RedisAttachmentCache;
  let journal: RedisAttachmentJournal;
  let taskId: string;
  let floor: number;
  let known: Attachment;

  beforeAll(async () => {
    harness = await openRedisHarness({ isCluster });
    cache = harness.cache(HOUR_MS);
    journal = harness.journal(HOUR_MS);
  });
  afterAll(() => harness?.close());
  /** A task of which the cache knows everything: `known`. */
  beforeEach(async () => {
    await harness.client.flushall();
    taskId = `t-${randomUUID()}`;
    floor = (await cache.readTask(taskId)).token.floor;
    known = sample('known', floor);
    await fill([known]);
  });

  const sample = (key: string, version: number) => sampleAttachment({ taskId, key, version });
  const fill = async (attachments: readonly Attachment[]) => {
    const { token } = await cache.readTask(taskId);
    await cache.fill([{ taskId, organization: ORGANIZATION, token, attachments, withBodies: true, complete: true }]);
  };
  const put = ({ key, version, op }: Attachment): OutboxChange => ({
    kind: 'attachment',
    taskId,
    key,
    version,
    op,
    deleted: false,
  });
  const deletion = (key: string, version: number): OutboxChange => ({
    kind: 'attachment',
    taskId,
    key,
    version,
    op: randomUUID(),
    deleted: true,
  });
  const cursor = async () => (await cache.cursors())[0] as ProjectionCursor;
  const project = async (...changes: OutboxChange[]) => {
    const from = await cursor();
    await cache.project(from, changes, (from.position ?? 0) + 10);
  };
  const appendPut = async (attachment: Attachment) => {
    const event = attachmentCreated(attachment, 'replica-1');
    const outcome = await journal.append({ organization: ORGANIZATION, put: { attachment, event } }, NOW_MS);
    expect(outcome.state).toBe('journaled');
  };
  const appendDeletion = async (key: string, version: number) => {
    const [ref, stamp] = [
      { taskId, key },
      { version, op: randomUUID() },
    ];
    const event = attachmentDeleted(ref, stamp, 'alice', NOW_MS);
    const write = { organization: ORGANIZATION, deletion: { ...ref, stamp, force: false, event } };
    expect(await journal.append(write, NOW_MS)).toMatchObject({ state: 'journaled' });
  };
  const settle = async () => {
    const [[entry] = []] = await journal.oldest();
    if (!entry) throw new Error('the journal is empty');
    await journal.settle(entry, { state: 'applied' });
  };
  const get = async (key: string) => (await cache.read([{ taskId, key }], ORGANIZATION))[0]?.attachment;
  const keys = async () => {
    const page = { limit: 10, offset: 0, descending: false, includeBodies: true, known: [] };
    const found = await cache.readPage({ taskId, organization: ORGANIZATION, nowMs: NOW_MS, page });
    return found.page?.entries.map(({ key }) => key);
  };
  const currentFloor = async () => (await cache.readTask(taskId)).token.floor;
  const state = () => Promise.all([get('known'), keys(), currentFloor()]);

  describe('of a change that the cache has been told of', () => {
    it('changes nothing: the same put', async () => {
      await project(put(known));
      expect(await state()).toEqual([known, ['known'], floor]);
    });

    it('changes nothing: an older put, an older deletion', async () => {
      await project(put(sample('known', floor - 2)), deletion('known', floor - 1));
      expect(await state()).toEqual([known, ['known'], floor]);
    });

    it('forgets nothing for a deletion, but voids what was read before', async () => {
      const version = floor + 2;
      await cache.apply({ taskId, key: 'known', stamp: { version, op: randomUUID() }, attachment: null });
      await project(deletion('known', version));
      expect(await state()).toEqual([undefined, [], version + 1]);
    });

    it('changes nothing: a journaled put, drained or not', async () => {
      const journaled = sample('new', floor + 2);
      await appendPut(journaled);
      await project(put(journaled));
      await settle();
      await project(put(journaled));
      expect(await get('new')).toEqual(journaled);
      expect(await keys()).toEqual(['known', 'new']);
    });
  });

  describe('of a change that the cache missed', () => {
    it('forgets the older attachment, and that all are known', async () => {
      await project(put(sample('known', floor + 10)));
      expect(await state()).toEqual([undefined, undefined, floor + 10]);
      expect(await harness.client.exists(harness.keys.attachment({ taskId, key: 'known' }))).toBe(0);
    });

    it('forgets an attachment of the same version from another write', async () => {
      await project({ ...put(known), op: randomUUID() } as OutboxChange);
      expect(await state()).toEqual([undefined, undefined, floor + 1]);
    });

    it('forgets what was deleted, and that all are known', async () => {
      await project(deletion('known', floor + 10));
      expect(await state()).toEqual([undefined, undefined, floor + 10]);
    });

    it('forgets that all are known: a put of a new key, even an old one', async () => {
      await project(put(sample('new', floor - 2)));
      expect(await state()).toEqual([known, undefined, floor + 1]);
    });

    it('raises the floor for the deletion of what is not there, each time: a fill may be bringing it', async () => {
      await project(deletion('gone', floor + 10));
      expect(await state()).toEqual([known, ['known'], floor + 10]);
      await project(deletion('gone', floor + 10), deletion('gone', floor + 4));
      expect(await currentFloor()).toBe(floor + 12);
    });

    it('voids what was read before, and puts that are older', async () => {
      const { token } = await cache.readTask(taskId);
      await project(put(sample('known', floor + 10)));
      const late = { taskId, organization: ORGANIZATION, token, withBodies: true, complete: true };
      await cache.fill([{ ...late, attachments: [known] }]);
      await cache.apply(putChange(sample('known', floor + 8)));
      expect(await get('known')).toBeUndefined();
      await fill([sample('known', floor + 10)]);
      expect(await keys()).toEqual(['known']);
    });

    it('takes the changes in their order', async () => {
      const changes = [put(sample('known', floor + 4)), deletion('known', floor + 6), put(sample('known', floor + 8))];
      await project(...changes);
      expect(await state()).toEqual([undefined, undefined, floor + 8]);
    });
  });

  describe('over what was journaled', () => {
    it('keeps a newer put and a newer deletion', async () => {
      const newer = sample('new', floor + 10);
      await appendPut(newer);
      await appendDeletion('known', floor + 10);
      await project(put(sample('new', floor + 4)), put(sample('known', floor + 4)), deletion('new', floor + 6));
      expect(await get('new')).toEqual(newer);
      expect(await keys()).toEqual(['new']);
    });

    it('forgets an older put, whose entry stays', async () => {
      await appendPut(sample('known', floor + 2));
      await project(put(sample('known', floor + 4)));
      expect(await state()).toEqual([undefined, undefined, floor + 4]);
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
      expect(await harness.client.pttl(harness.keys.control(taskId))).toBe(-1);
    });

    it.each([false, true])('forgets an older deletion (drained: %p)', async (drained) => {
      await appendDeletion('known', floor + 2);
      if (drained) await settle();
      await project(put(sample('known', floor + 4)));
      expect(await state()).toEqual([undefined, undefined, floor + 4]);
      const [found] = await cache.read([{ taskId, key: 'known' }], ORGANIZATION);
      expect(found?.deletedVersion).toBeUndefined();
      expect((await cache.apply(putChange(sample('known', floor + 1)))).newer).toBeUndefined();
    });
  });

  describe('of a deleted task', () => {
    it('forgets everything, for good', async () => {
      await appendPut(sample('new', floor + 2));
      await project({ kind: 'task-deleted', taskId, version: floor + 10 }, put(sample('late', floor + 12)));
      expect(await cache.readTask(taskId)).toMatchObject({ deleted: true, token: { floor: floor + 10 } });
      expect(await state()).toEqual([undefined, undefined, floor + 10]);
      await fill([known]);
      expect(await get('known')).toBeUndefined();
      expect(await journal.backlog()).toMatchObject({ waiting: 1 });
    });

    it('changes nothing where the cache has been told', async () => {
      await cache.wipe(taskId, floor + 10);
      await project({ kind: 'task-deleted', taskId, version: floor + 10 });
      expect(await currentFloor()).toBe(floor + 10);
    });
  });

  it('invents no task', async () => {
    const other = `t-${randomUUID()}`;
    await project(
      { kind: 'task-deleted', taskId: other, version: 2 },
      {
        ...put(known),
        taskId: other,
      },
    );
    expect(await harness.client.exists(harness.keys.control(other))).toBe(0);
  });

  it('prolongs no lifetime', async () => {
    const control = harness.keys.control(taskId);
    await harness.client.pexpire(control, 60_000);
    await project(put(known), put(sample('new', floor + 4)));
    await project({ kind: 'task-deleted', taskId, version: floor + 10 });
    expect(await harness.client.pttl(control)).toBeLessThanOrEqual(60_000);
  });

  it('reaches many tasks, each its own changes', async () => {
    const taskIds = Array.from({ length: 30 }, () => `t-${randomUUID()}`);
    for (taskId of taskIds) await fill([sample('a', 2), sample('b', 2)]);
    const [deleted, ...others] = taskIds as [string, ...string[]];
    const changes = others.map((id, i): OutboxChange => {
      return { kind: 'attachment', taskId: id, key: i % 2 ? 'a' : 'b', version: 4, op: randomUUID(), deleted: false };
    });
    await project(...changes, { kind: 'task-deleted', taskId: deleted, version: 4 });
    const refs = taskIds.flatMap((id) => ['a', 'b'].map((key) => ({ taskId: id, key })));
    const found = await cache.read(refs, ORGANIZATION);
    const left = refs.filter((__, i) => found[i]?.attachment).map((ref) => `${ref.taskId} ${ref.key}`);
    expect(left).toEqual(others.map((id, i) => `${id} ${i % 2 ? 'b' : 'a'}`));
  });

  it('reaches what one transaction has changed, however much that is', async () => {
    const all = Array.from({ length: 2500 }, (__, i) => sample(`k${i}`, floor));
    await fill([known, ...all]);
    await project();
    await project(...all.map(({ key }) => put(sample(key, floor + 2))));
    const found = await cache.read([known, ...all], ORGANIZATION);
    expect(found.filter(({ attachment }) => attachment).map(({ attachment }) => attachment?.key)).toEqual(['known']);
    expect((await cursor()).position).toBe(20);
  });

  describe('the cursor', () => {
    const change = () => put(sample('known', floor + 10));
    const cursorName = () => harness.keys.cursor(harness.keys.shardOf(taskId));

    it('is not known at first, then goes with the changes, and is told to readers', async () => {
      const { session } = harness.connection;
      const parts = harness.keys.shards;
      expect(await cache.cursors()).toEqual([{ position: undefined, session, parts }]);
      expect((await cache.readTask(taskId)).cursor).toBe(0);
      await cache.project(await cursor(), [], 7000);
      expect(await cache.cursors()).toEqual([{ position: 7000, session, parts }]);
      expect((await cache.readTask(taskId)).cursor).toBe(7000);
      expect((await cache.read([{ taskId, key: 'known' }], ORGANIZATION))[0]?.cursor).toBe(7000);
      expect(await cache.readPage({ taskId, organization: ORGANIZATION, nowMs: NOW_MS })).toMatchObject({
        cursor: 7000,
      });
      expect(await harness.client.pttl(cursorName())).toBe(-1);
    });

    it('stays, and so does everything, where another replica has moved it', async () => {
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

    it('has moved where it is lost', async () => {
      await cache.project(await cursor(), [], 7000);
      const before = await cursor();
      await harness.client.del(cursorName());
      await cache.project(before, [change()], 8000);
      expect(await get('known')).toEqual(known);
      expect((await cache.readTask(taskId)).cursor).toBe(0);
    });

    it.each<[string, (name: string) => Promise<unknown>]>([
      ['text', (name) => harness.client.set(name, 'x')],
      ['no integer', (name) => harness.client.set(name, '-1')],
      ['too large a number', (name) => harness.client.set(name, '99999999999999999999')],
      ['a list', (name) => harness.client.rpush(name, '7000')],
    ])('is not known where it is %s, until the next projection', async (__, corrupt) => {
      await corrupt(cursorName());
      const cursors = await cache.cursors();
      expect(cursors.every(({ position }) => position === undefined)).toBe(true);
      expect((await cache.readTask(taskId)).cursor).toBe(0);
      await project(change());
      expect((await cursor()).position).toBe(10);
      expect(await get('known')).toBeUndefined();
    });
  });
});

it('gives shards of a cluster that are at different positions one by one', async () => {
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
  } finally {
    await harness.close();
  }
});
