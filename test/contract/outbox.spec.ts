import { randomUUID } from 'node:crypto';
import type { ExpiredAttachment } from '../../src/core/domain/attachment';
import { taskCreated, taskUpdated, type DomainEvent } from '../../src/core/domain/domain-event';
import { updateTask } from '../../src/core/domain/task';
import { expiryStamp } from '../../src/core/domain/version';
import { FOLLOWED_LEVELS, type EventQuery, type OutboxChanges } from '../../src/core/ports/outbox';
import {
  aDeletion,
  aPut,
  aTask,
  deleteTree,
  drainOne,
  NOW_MS,
  TIMEOUT_MS,
  type PutOptions,
} from './attachment-store.harness';
import { OUTBOX_HARNESSES, type OutboxHarness } from './outbox.harness';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

describe.each(OUTBOX_HARNESSES)('Outbox %s', (_, open) => {
  let harness: OutboxHarness;
  let organization: string;
  beforeAll(async () => {
    harness = await open();
  });
  afterAll(() => harness?.close());
  beforeEach(async () => {
    organization = randomUUID();
    await harness.outbox.markPublished(await unpublished());
  });

  const unpublished = async (limit = 1000) => (await harness.outbox.unpublished(limit)) ?? [];
  const read = (query: Partial<EventQuery> = {}) =>
    harness.outbox.read({ organization, taskId: undefined, after: undefined, limit: 100, ...query }, TIMEOUT_MS);
  const position = async () => (await read())?.position as string;
  const eventsAfter = async (after: string, query: Partial<EventQuery> = {}) =>
    (await read({ ...query, after }))?.events.map(({ event }) => event);

  async function newTask(of = organization, parentId?: string): Promise<{ taskId: string; event: DomainEvent }> {
    const task = aTask({ parentId }, of);
    const event = taskCreated(task, randomUUID());
    await harness.tasks.insert(task, [], event, TIMEOUT_MS);
    return { taskId: task.id, event };
  }
  async function newAttachment(taskId: string, key: string, options?: PutOptions): Promise<DomainEvent> {
    const put = aPut({ taskId, key }, options);
    await harness.attachments.put(put, organization, undefined, NOW_MS, TIMEOUT_MS);
    return put.event;
  }

  it('keeps the trace of the call beside the event, which is announced without it', async () => {
    const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'vendor=a "quoted" value' };
    const { taskId, event } = await newTask();
    const from = await position();
    const put = aPut({ taskId, key: 'a' });
    const overwrite = aPut({ taskId, key: 'a' }, { version: 1002 });
    for (const one of [put, overwrite]) {
      const traced = { ...one, event: { ...one.event, trace } };
      await harness.attachments.put(traced, organization, undefined, NOW_MS, TIMEOUT_MS);
    }
    const untraced = await newAttachment(taskId, 'b');
    const drained = aPut({ taskId, key: 'c' });
    await drainOne(harness, { organization, put: { ...drained, event: { ...drained.event, trace } } });

    const waiting = await unpublished();
    expect(waiting.map((one) => one.trace)).toEqual([undefined, trace, trace, undefined, trace]);
    expect(waiting.map((one) => 'trace' in one.event)).toEqual(Array(5).fill(false));
    const ids = [event, put.event, overwrite.event, untraced, drained.event].map(({ metadata }) => metadata.eventId);
    expect(waiting.map((one) => one.event.metadata.eventId)).toEqual(ids);
    expect(waiting[1]?.event).toEqual(put.event);
    expect(await eventsAfter(from)).toEqual(waiting.slice(1).map((one) => one.event));
  });

  it('returns unpublished events in the order of the changes until they are marked', async () => {
    const { taskId, event } = await newTask();
    const events = [event, await newAttachment(taskId, 'a'), await newAttachment(taskId, 'b')];
    const waiting = await unpublished();
    expect(waiting.map((one) => one.event)).toEqual(events);
    expect(waiting.map((one) => one.taskId)).toEqual([taskId, taskId, taskId]);
    expect(await unpublished(2)).toEqual(waiting.slice(0, 2));

    await harness.outbox.markPublished(waiting.slice(0, 2));
    expect(await unpublished()).toEqual(waiting.slice(2));
  });

  it('gives each organisation that waits an equal part of the limit', async () => {
    const [busy, other] = [`busy ${organization}`, `other ${organization}`];
    const events: DomainEvent[] = [];
    for (let i = 0; i < 5; i++) events.push((await newTask(busy)).event);
    const { event, taskId } = await newTask(other);
    const fifth = events.pop();
    expect((await unpublished(4)).map((one) => one.event)).toEqual([events[0], events[1], event]);
    await harness.outbox.markPublished((await unpublished(4)).filter((one) => one.taskId === taskId));
    expect((await unpublished(4)).map((one) => one.event)).toEqual(events);
    expect((await unpublished()).map((one) => one.event)).toEqual([...events, fifth]);
  });

  it('returns the events of more organisations than have room with later calls', async () => {
    const tasks: string[] = [];
    for (let i = 0; i < 7; i++) for (const _ of [1, 2]) tasks.push((await newTask(`${i} ${organization}`)).taskId);
    const seen: string[] = [];
    for (let calls = 0; calls < 20; calls++) {
      const waiting = await unpublished(2);
      seen.push(...waiting.map((one) => one.taskId));
      // One that could not be published is returned again, and keeps none of the others back.
      await harness.outbox.markPublished(waiting.filter((one) => one.taskId !== tasks[0]));
    }
    expect(tasks.slice(2).filter((id) => !seen.includes(id))).toEqual([]);
  });

  it('tells its listener of each kind of change', async () => {
    const listener = jest.fn();
    harness.outbox.onRecorded(listener);
    const tells = async (change: () => Promise<unknown>) => {
      listener.mockClear();
      await change();
      expect(listener).toHaveBeenCalled();
      expect(await unpublished()).not.toEqual([]);
      await harness.outbox.markPublished(await unpublished());
    };
    const task = aTask({}, organization);
    const ref = { taskId: task.id, key: 'a' };
    const write = (version: number) => aPut({ ...ref, ttlSeconds: 5 }, { version });
    const deletion = aDeletion(task.id, 'a', 1002);
    const updated = updateTask(task, { text: 'changed' }, { nowMs: NOW_MS + 1, by: 'someone' });
    await tells(() => harness.tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS));
    await tells(() => harness.attachments.put(write(1000), organization, undefined, NOW_MS, TIMEOUT_MS));
    await tells(() => harness.attachments.delete(deletion, organization, undefined, NOW_MS, TIMEOUT_MS));
    await tells(() => drainOne(harness, { organization, put: write(1004) }));
    await tells(() =>
      harness.tasks.update(updated, taskUpdated(updated, ['text'], randomUUID()), undefined, TIMEOUT_MS),
    );
    const [expired] = await harness.expired.find(NOW_MS + 5000, 1);
    await tells(() => harness.expired.remove([expired as ExpiredAttachment]));
    await tells(() => deleteTree(harness, task.id, { organization }));
  });

  it('counts the unpublished events', async () => {
    expect(await harness.outbox.backlog()).toEqual({ count: 0, oldestAgeMs: 0 });
    await newTask();
    await newTask();
    const { count, oldestAgeMs } = await harness.outbox.backlog();
    expect(count).toBe(2);
    expect(oldestAgeMs).toBeGreaterThanOrEqual(0);
    expect(oldestAgeMs).toBeLessThan(60_000);
  });

  it('returns the events after a position, published or not', async () => {
    await newTask();
    const start = await read();
    expect(start).toMatchObject({ events: [], more: false });
    const { taskId, event } = await newTask();
    const second = await newAttachment(taskId, 'a');
    await harness.outbox.markPublished(await unpublished());
    expect(await eventsAfter(start?.position as string)).toEqual([event, second]);
  });

  it('continues after any event, and after an empty page', async () => {
    const start = await position();
    const { taskId, event } = await newTask();
    const events = [event];
    for (const key of ['a', 'b', 'c']) events.push(await newAttachment(taskId, key));

    const page = await read({ after: start });
    const rest = await Promise.all((page?.events ?? []).map((one) => eventsAfter(one.position)));
    expect(rest).toEqual([events.slice(1), events.slice(2), events.slice(3), []]);
    const end = await read({ after: page?.position });
    expect(end).toMatchObject({ events: [], more: false });
    const last = await newAttachment(taskId, 'd');
    expect(await eventsAfter(end?.position as string)).toEqual([last]);
  });

  it('returns events in pages', async () => {
    let after = await position();
    const { taskId, event } = await newTask();
    const events = [event];
    for (const key of ['a', 'b', 'c', 'd']) events.push(await newAttachment(taskId, key));

    const seen: DomainEvent[] = [];
    for (let more = true; more;) {
      const page = await read({ after, limit: 2 });
      expect(page?.events.length).toBeLessThanOrEqual(2);
      seen.push(...(page?.events ?? []).map((one) => one.event));
      after = page?.position as string;
      more = page?.more as boolean;
    }
    expect(seen).toEqual(events);
    expect(await eventsAfter(after)).toEqual([]);
  });

  it('returns the events of one organisation or one task, including its deletion', async () => {
    const start = await position();
    const mine = await newTask();
    const other = await newTask();
    const foreign = await newTask(randomUUID());
    const attached = await newAttachment(mine.taskId, 'a');
    const deletion = aDeletion(mine.taskId, 'a', 1002);
    await harness.attachments.delete(deletion, organization, undefined, NOW_MS, TIMEOUT_MS);
    const deleted = await deleteTree(harness, mine.taskId, { organization });

    const all = await eventsAfter(start);
    expect(all).toHaveLength(5);
    expect(all?.slice(0, 3)).toEqual([mine.event, other.event, attached]);
    expect(all?.at(-1)).toEqual(deleted?.[0]?.events[0]);
    expect(await eventsAfter(start, { taskId: mine.taskId })).toEqual([mine.event, ...(all?.slice(2) ?? [])]);
    expect(await eventsAfter(start, { taskId: foreign.taskId })).toEqual([]);
  });

  it('returns the events of a task and its sub-tasks, even if they are deleted before they are read', async () => {
    const start = await position();
    const root = await newTask();
    const child = await newTask(organization, root.taskId);
    const other = await newTask();
    const grandchild = await newTask(organization, child.taskId);
    const attached = await newAttachment(grandchild.taskId, 'a');
    const below = [root.event, child.event, grandchild.event, attached];
    expect(await eventsAfter(start, { parentId: root.taskId })).toEqual(below);
    expect(await eventsAfter(start, { parentId: child.taskId })).toEqual(below.slice(1));
    expect(await eventsAfter(start, { parentId: other.taskId })).toEqual([other.event]);
    expect(await eventsAfter(start, { parentId: root.taskId, organization: randomUUID() })).toEqual([]);

    const deleted = await deleteTree(harness, root.taskId, { organization });
    const deletions = (deleted ?? []).flatMap(({ events }) => events);
    expect(deletions).toHaveLength(3);
    expect(await eventsAfter(start, { parentId: root.taskId })).toEqual([...below, ...deletions]);
    expect(await eventsAfter(start, { parentId: grandchild.taskId })).toEqual([...below.slice(2), deletions[2]]);
  });

  it('returns the events of sub-tasks down to the level that followers are told of', async () => {
    const start = await position();
    const chain = [await newTask()];
    for (let level = 1; level <= FOLLOWED_LEVELS + 1; level++) {
      chain.push(await newTask(organization, chain.at(-1)?.taskId));
    }
    const followed = chain.slice(0, FOLLOWED_LEVELS + 1).map(({ event }) => event);
    expect(await eventsAfter(start, { parentId: chain[0]?.taskId })).toEqual(followed);
  });

  it('returns no event of a write that was drained to a missing task', async () => {
    const start = await position();
    const foreign = randomUUID();
    const [mine, other] = [await newTask(), await newTask(foreign)];
    const deleted = await deleteTree(harness, mine.taskId, { organization });
    await harness.outbox.markPublished(await unpublished());
    const outcomes: unknown[] = [];
    for (const { taskId } of [mine, other]) {
      outcomes.push(await drainOne(harness, { organization, put: aPut({ taskId, key: 'k' }) }));
    }
    expect(outcomes).toEqual([{ state: 'superseded' }, { state: 'task-missing' }]);
    expect(await unpublished()).toEqual([]);
    expect(await eventsAfter(start)).toEqual([mine.event, ...(deleted?.[0]?.events ?? [])]);
    expect(await eventsAfter(start, { organization: foreign })).toEqual([other.event]);
  });

  it.each(['', 'x', '-1', '1:2', '0:1:', '2:1:', '5:9:9', '5:9:7,6', '1:1:/1:1:', '1:1:/1:1:/x', '1:1:/1:1:/1/1'])(
    'refuses %p as a position',
    async (after) => expect(await read({ after })).toBeUndefined(),
  );

  it.each(['999999999999999', '999999999999999:999999999999999:'])(
    'refuses %p, which lies in the future, as a position of another outbox',
    async (after) => expect(await read({ after })).toBeUndefined(),
  );

  it('forgets the events of days that are over, unless one of them waits to be published', async () => {
    const purge = async (beforeMs: number) => {
      while ((await harness.outbox.purge(beforeMs)).more);
    };
    const start = await position();
    const [first, second] = [await newTask(), await newTask()];
    await harness.outbox.markPublished((await unpublished()).slice(0, 1));
    const later = harness.nowMs() + 2 * DAY_MS;

    await purge(later);
    expect(await eventsAfter(start)).toEqual([first.event, second.event]);
    await harness.outbox.markPublished(await unpublished());
    await purge(harness.nowMs());
    expect(await eventsAfter(start)).toEqual([first.event, second.event]);
    await purge(later);
    expect(await eventsAfter(start)).toEqual([]);

    const third = await newTask();
    expect(await eventsAfter(start)).toEqual([third.event]);
    expect((await unpublished()).map(({ event }) => event)).toEqual([third.event]);
  });

  describe('changes', () => {
    const since = async () => (await harness.outbox.changes(undefined, 1, HOUR_MS)).horizon;
    const changes = (from?: number, limit = 1000) => harness.outbox.changes(from, limit, HOUR_MS);
    const put = async (taskId: string, version: number, more: { key?: string; ttlSeconds?: number } = {}) => {
      const one = aPut({ taskId, key: 'k', ...more }, { version });
      await harness.attachments.put(one, organization, undefined, NOW_MS, TIMEOUT_MS);
      return one;
    };
    const remove = async (taskId: string, version: number) => {
      const deletion = aDeletion(taskId, 'k', version);
      await harness.attachments.delete(deletion, organization, undefined, NOW_MS, TIMEOUT_MS);
      return deletion;
    };
    const keyed = (taskId: string, version: number, op: string, deleted = false) => ({
      kind: 'attachment',
      taskId,
      key: 'k',
      version,
      op,
      deleted,
    });

    it('include attachments and deleted tasks, published or not, and no other change of a task', async () => {
      const from = await since();
      const { taskId } = await newTask();
      const first = await put(taskId, 1000, { ttlSeconds: 5 });
      const deletion = await remove(taskId, 1002);
      const second = await put(taskId, 1004, { ttlSeconds: 5 });
      const [expired] = await harness.expired.find(NOW_MS + 5000, 1);
      await harness.expired.remove([expired as ExpiredAttachment]);
      const deleted = await deleteTree(harness, taskId, { organization });
      await harness.outbox.markPublished(await unpublished());

      const { op } = expiryStamp(second.attachment);
      expect((await changes(from)).changes).toEqual([
        keyed(taskId, 1000, first.attachment.op),
        keyed(taskId, 1002, deletion.stamp.op, true),
        keyed(taskId, 1004, second.attachment.op),
        keyed(taskId, 1005, op, true),
        { kind: 'task-deleted', taskId, version: deleted?.[0]?.stamp.version },
      ]);
    });

    it('continue where the last ones ended, and start after what was there before', async () => {
      const { taskId } = await newTask();
      await put(taskId, 1000);
      const before = await changes(await since());
      expect(before.changes).toEqual([]);
      const next = await put(taskId, 1002);
      const after = await changes(before.to);
      expect(after.changes).toEqual([keyed(taskId, 1002, next.attachment.op)]);
      expect(after.to).toBeGreaterThan(before.to);
      expect(after.horizon).toBeGreaterThanOrEqual(after.to);
      expect((await changes(after.to)).changes).toEqual([]);
    });

    it('lie below the horizon, which is known without them, too', async () => {
      const { taskId } = await newTask();
      await put(taskId, 1000);
      const horizon = await harness.outbox.horizon(TIMEOUT_MS);
      const { to } = await changes(await since());
      await put(taskId, 1002);
      expect(horizon).toBeGreaterThanOrEqual(to);
      const later = await harness.outbox.horizon(TIMEOUT_MS);
      expect(later).toBeGreaterThan(horizon);
    });

    it('are none, however often they are asked for, until there are some', async () => {
      const { taskId } = await newTask();
      const { to } = await changes(await since());
      for (const _ of [1, 2, 3]) expect(await changes(to)).toMatchObject({ changes: [], to });
      const next = await put(taskId, 1000);
      const after = await changes(to);
      expect(after.changes).toEqual([keyed(taskId, 1000, next.attachment.op)]);
      expect((await changes(to)).changes).toEqual(after.changes);
    });

    it('leave out a write that has changed nothing', async () => {
      const { taskId } = await newTask();
      await put(taskId, 1002);
      const from = await since();
      const late = { organization, put: aPut({ taskId, key: 'k' }, { version: 1000 }) };
      expect(await drainOne(harness, late)).toEqual({ state: 'superseded' });
      expect((await changes(from)).changes).toEqual([]);
    });

    it('include a transaction as a whole, even if it exceeds the limit', async () => {
      const from = await since();
      const task = aTask({}, organization);
      const puts = ['a', 'b', 'c', 'd'].map((key) => aPut({ taskId: task.id, key }));
      await harness.tasks.insert(task, puts, taskCreated(task, randomUUID()), TIMEOUT_MS);
      const next = await put(task.id, 1000);
      const keysOf = (page: OutboxChanges) => page.changes.map((change) => 'key' in change && change.key);

      const first = await changes(from, 2);
      expect(keysOf(first).sort()).toEqual(['a', 'b', 'c', 'd']);
      const second = await changes(first.to, 2);
      expect(second.changes).toEqual([keyed(task.id, 1000, next.attachment.op)]);
      expect((await changes(second.to, 2)).changes).toEqual([]);
    });

    it('are returned in pages, however many there are', async () => {
      let from = await since();
      const { taskId } = await newTask();
      for (let i = 0; i < 7; i++) await put(taskId, 1000 + 2 * i);
      const seen: number[] = [];
      for (let page = await changes(from, 3); page.changes.length > 0; page = await changes(from, 3)) {
        seen.push(...page.changes.map(({ version }) => version));
        from = page.to;
      }
      expect(seen).toEqual([1000, 1002, 1004, 1006, 1008, 1010, 1012]);
    });

    it.each(['unknown', 'ahead of this outbox'])('cover the requested time if the position is %s', async (how) => {
      const { taskId } = await newTask();
      await put(taskId, 1000, { key: 'old' });
      await harness.age(10 * MINUTE_MS + 1);
      await put(taskId, 1002, { key: 'recent' });
      await harness.age(50 * MINUTE_MS);
      await put(taskId, 1004, { key: 'new' });
      const from = how === 'unknown' ? undefined : (await since()) + 1_000_000;
      const page = await changes(from);
      const ofTask = page.changes.filter((change) => change.taskId === taskId);
      expect(ofTask.map(({ version }) => version)).toEqual([1002, 1004]);
      expect((await changes(page.to)).changes).toEqual([]);
    });

    it('include a write that the journal brings late', async () => {
      const { taskId } = await newTask();
      const nowMs = NOW_MS - HOUR_MS;
      const late = { organization, put: aPut({ taskId, key: 'k' }, { version: 1000, nowMs }) };
      expect(await drainOne(harness, late)).toMatchObject({ state: 'applied' });
      const ofTask = (await changes()).changes.filter((change) => change.taskId === taskId);
      expect(ofTask).toEqual([keyed(taskId, 1000, late.put.attachment.op)]);
    });
  });
});
