import { newReplicaState } from '../../../../src/app/replica-state';
import { composeUseCases } from '../../../../src/app/use-cases';
import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { CACHE_TIMEOUT_MS, OPERATION_TIMEOUT_MS } from '../../../../src/core/ports/time-limits';
import { putChange, type AttachmentCache } from '../../../../src/core/ports/attachment-cache';
import type { AttachmentJournal } from '../../../../src/core/ports/attachment-journal';
import type { AttachmentStore, WriteCondition } from '../../../../src/core/ports/attachment-store';
import { StoreError } from '../../../../src/core/ports/store-error';
import { AttachmentLookup } from '../../../../src/core/consistency/attachment-lookup';
import { CorrectedList } from '../../../../src/core/consistency/corrected-list';
import { Deadline } from '../../../../src/core/consistency/deadline';
import { CALLER, FOREIGN_CALLER, Fixture, JournalingFixture } from '../../../support/fixture';

const HOUR_MS = 3_600_000;

const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => {
      if (error instanceof DomainError) return error.refusal.kind;
      if (error instanceof StoreError) return error.message;
      throw error;
    },
  );

let fixture: Fixture;
const t1 = (key: string) => ({ taskId: 't-1', key });
const get = (key: string, caller = CALLER) => fixture.useCases.getAttachment.execute(t1(key), caller);
const remove = (key: string) => fixture.useCases.deleteAttachment.execute(t1(key), CALLER);
const keysOf = async (more: Parameters<Fixture['list']>[1] = {}) =>
  (await fixture.list('t-1', more)).attachments.map(({ key }) => key);
const eventsOf = (key: string) =>
  fixture.database.events.filter(({ payload }) => payload['key'] === key).map(({ type }) => type);

beforeEach(async () => {
  fixture = new JournalingFixture();
  await fixture.task('t-1');
  await fixture.useCases.projectChanges.execute();
});

const postgresGoes = () => (fixture.postgres.fails = 'unavailable');
const postgresReturns = () => (fixture.postgres.fails = undefined);
const drained = async () => {
  while ((await fixture.useCases.drainJournal.execute()).more);
};

describe('while PostgreSQL is unavailable', () => {
  it('a create is taken, shown to every replica, and written to PostgreSQL later, once', async () => {
    postgresGoes();
    const { attachment, replaced, degraded } = await fixture.text('t-1', 'k', 'journaled');
    expect([replaced, degraded]).toEqual([false, true]);
    expect((await get('k')).attachment).toEqual(attachment);
    expect(await keysOf()).toEqual(['k']);
    expect(eventsOf('k')).toEqual([]);

    postgresReturns();
    expect((await get('k')).attachment).toEqual(attachment);
    expect(await keysOf()).toEqual(['k']);
    await drained();
    await drained();
    expect(eventsOf('k')).toEqual(['task.attachment_created']);
    fixture.redis.fails = 'unavailable';
    expect((await get('k')).attachment).toEqual(attachment);
  });

  it('a create keeps the identity of what it replaces, and says so', async () => {
    const first = await fixture.text('t-1', 'k', 'old');
    fixture.clock.advance(1000);
    postgresGoes();
    const second = await fixture.text('t-1', 'k', 'new');
    expect(second).toMatchObject({ replaced: true, degraded: true });
    const { id, createdAtMs, createdBy } = first.attachment;
    expect(second.attachment).toMatchObject({ id, createdAtMs, createdBy, content: 'new' });
  });

  it('a deletion is taken, and the attachment does not come back', async () => {
    const { attachment } = await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1000);
    postgresGoes();
    expect(await remove('k')).toMatchObject({ ...t1('k'), id: attachment.id, degraded: true });
    expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
    expect(await outcomeOf(remove('k'))).toBe('attachment-not-found');
    expect(await fixture.list('t-1')).toMatchObject({ attachments: [], totalCount: 0 });

    postgresReturns();
    expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
    expect(await keysOf()).toEqual([]);
    await drained();
    fixture.redis.fails = 'unavailable';
    expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
    expect(eventsOf('k')).toEqual(['task.attachment_created', 'task.attachment.deleted']);
    expect(fixture.database.events.at(-1)?.payload).toMatchObject({ attachmentId: attachment.id });
  });

  it('an attachment that only the journal has can be deleted once PostgreSQL is back', async () => {
    postgresGoes();
    const { attachment } = await fixture.text('t-1', 'k', 'x');
    postgresReturns();
    expect(await remove('k')).toMatchObject({ id: attachment.id });
    await drained();
    expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
    fixture.redis.fails = 'unavailable';
    expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
  });

  it('a second deletion finds nothing, although PostgreSQL has not seen the first one', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1000);
    postgresGoes();
    await remove('k');
    postgresReturns();
    fixture.clock.advance(1000);
    expect(await outcomeOf(remove('k'))).toBe('attachment-not-found');
    await drained();
    expect(eventsOf('k')).toEqual(['task.attachment_created', 'task.attachment.deleted']);
  });

  it('a put replaces what only the journal has, and keeps its identity', async () => {
    postgresGoes();
    const first = await fixture.text('t-1', 'k', 'journaled');
    postgresReturns();
    fixture.clock.advance(1000);
    const second = await fixture.text('t-1', 'k', 'stored');
    expect(second.replaced).toBe(true);
    expect(second.attachment.id).toBe(first.attachment.id);
    await drained();
    expect((await get('k')).attachment).toMatchObject({ id: first.attachment.id, content: 'stored' });
  });

  it('a condition is judged by what the journal has', async () => {
    const stored = await fixture.text('t-1', 'k', 'stored');
    fixture.clock.advance(1000);
    postgresGoes();
    const journaled = await fixture.text('t-1', 'k', 'journaled');
    await fixture.text('t-1', 'gone', 'x');
    await remove('gone');
    postgresReturns();
    fixture.clock.advance(1000);
    const put = (key: string, condition: WriteCondition) => outcomeOf(fixture.text('t-1', key, 'next', { condition }));
    expect(await put('k', { ifVersion: stored.attachment.version })).toBe('version-conflict');
    expect(await put('k', { ifAbsent: true })).toBe('version-conflict');
    expect(await put('gone', { ifAbsent: true })).toBe('answered');
    expect(await put('k', { ifVersion: journaled.attachment.version })).toBe('answered');
    await drained();
    expect((await get('k')).attachment.content).toBe('next');
  });

  it('the journal is not asked once it is known to be empty', async () => {
    await drained();
    fixture.forgetCalls();
    await fixture.text('t-1', 'k', 'x');
    await remove('k');
    expect(fixture.redis.calls).toEqual(['apply', 'apply']);
  });

  it('a conditional deletion that a journaled write stands above is refused, and names that write', async () => {
    const stored = await fixture.text('t-1', 'k', 'stored');
    postgresGoes();
    fixture.clock.advance(60_000);
    const journaled = await fixture.text('t-1', 'k', 'journaled, by a clock ahead');
    fixture.clock.advance(-59_000);
    postgresReturns();
    const removal = { ...t1('k'), ifVersion: stored.attachment.version };
    await expect(fixture.useCases.deleteAttachment.execute(removal, CALLER)).rejects.toMatchObject({
      refusal: { kind: 'version-conflict', ...t1('k'), currentVersion: journaled.attachment.version },
    });
    await drained();
    expect((await get('k')).attachment.content).toBe('journaled, by a clock ahead');
  });

  it('the higher version wins between the journal and PostgreSQL, whatever their order', async () => {
    postgresGoes();
    fixture.clock.advance(60_000);
    await fixture.text('t-1', 'k', 'journaled, by a clock ahead');
    fixture.clock.advance(-60_000);
    postgresReturns();
    await fixture.text('t-1', 'k', 'later');
    await drained();
    await fixture.useCases.projectChanges.execute();
    expect((await get('k')).attachment.content).toBe('later');
    fixture.redis.fails = 'unavailable';
    expect((await get('k')).attachment.content).toBe('later');
  });

  it('conditional writes and methods of tasks are unavailable', async () => {
    await fixture.text('t-1', 'k', 'x');
    postgresGoes();
    const away = 'postgres unavailable';
    expect(await outcomeOf(fixture.text('t-1', 'k', 'y', { condition: { ifVersion: 2 } }))).toBe(away);
    expect(await outcomeOf(fixture.text('t-1', 'l', 'y', { condition: { ifAbsent: true } }))).toBe(away);
    const removal = { ...t1('k'), ifVersion: 2 };
    expect(await outcomeOf(fixture.useCases.deleteAttachment.execute(removal, CALLER))).toBe(away);
    expect((await fixture.journal.backlog()).waiting).toBe(0);
    expect(await outcomeOf(fixture.task('t-2'))).toBe(away);
    expect(await outcomeOf(fixture.useCases.getTask.execute('t-1', CALLER))).toBe(away);
    expect(await outcomeOf(fixture.useCases.deleteTask.execute('t-1', CALLER))).toBe(away);
  });

  it('an unknown attachment is unavailable, not missing', async () => {
    postgresGoes();
    expect(await outcomeOf(get('never-there'))).toBe('postgres unavailable');
    expect(await outcomeOf(remove('never-there'))).toBe('postgres unavailable');
    const unknownTask = { taskId: 't-unknown', key: 'k' };
    expect(await outcomeOf(fixture.useCases.getAttachment.execute(unknownTask, CALLER))).toBe('postgres unavailable');
    expect(await outcomeOf(fixture.text('t-unknown', 'k', 'x'))).toBe('postgres unavailable');
    expect(await fixture.list('t-unknown')).toEqual({ attachments: [], totalCount: 0, hasMore: false, degraded: true });
  });

  it('a foreign task is a missing task', async () => {
    await fixture.text('t-1', 'k', 'x');
    postgresGoes();
    expect(await outcomeOf(get('k', FOREIGN_CALLER))).toBe('postgres unavailable');
    const command = { ...t1('k'), type: 'text' as const, content: 'x', condition: undefined };
    expect(await outcomeOf(fixture.useCases.createAttachment.execute(command, FOREIGN_CALLER))).toBe(
      'postgres unavailable',
    );
  });

  it.each(['failed', 'busy'] as const)(
    'a write to which PostgreSQL replies "%s" does not go to the journal',
    async (outcome) => {
      fixture.postgres.fails = outcome;
      expect(await outcomeOf(fixture.text('t-1', 'k', 'x'))).toBe(`postgres ${outcome}`);
      postgresReturns();
      await drained();
      expect(await outcomeOf(get('k'))).toBe('attachment-not-found');
    },
  );

  it('a replica takes no write for a task that it has deleted, even if the cache was not told', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.redis.fails = 'unavailable';
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    fixture.redis.fails = undefined;
    postgresGoes();
    expect(await outcomeOf(fixture.text('t-1', 'k', 'y'))).toBe('task-not-found');
    expect(await outcomeOf(remove('k'))).toBe('task-not-found');
  });

  it('a write that times out goes to the journal, and its late commit changes nothing', async () => {
    fixture.postgres.fails = 'timeout';
    expect(await fixture.text('t-1', 'k', 'x')).toMatchObject({ degraded: true });
  });

  it('a list shows what the journal and PostgreSQL have together, page by page, in order', async () => {
    for (const key of ['b', 'd']) await fixture.text('t-1', key, key);
    fixture.clock.advance(1000);
    postgresGoes();
    for (const key of ['c', 'a']) await fixture.text('t-1', key, key);
    await remove('b');
    postgresReturns();
    const all = ['d', 'a', 'c'];
    for (const includeBodies of [true, false]) {
      expect(await keysOf({ includeBodies })).toEqual(all);
      expect(await keysOf({ includeBodies, descending: true })).toEqual(all.toReversed());
      const pages = [0, 1, 2].map((offset) => keysOf({ includeBodies, limit: 1, offset }));
      expect((await Promise.all(pages)).flat()).toEqual(all);
      expect(await keysOf({ includeBodies, keyPrefix: 'c' })).toEqual(['c']);
      expect(await keysOf({ includeBodies, type: 'url' })).toEqual([]);
    }
    fixture.forgetCalls();
    const page = await fixture.list('t-1', { keyPrefix: 'a' });
    expect(page).toMatchObject({ totalCount: 1, hasMore: false, attachments: [{ key: 'a', content: 'a' }] });
    expect(page.degraded).toBeUndefined();
    expect(fixture.postgres.calls).toContain('outlines');
  });

  it('a filtered list comes from the cache, page by page, with what only the journal has', async () => {
    for (const key of ['a1', 'b1', 'a3']) await fixture.text('t-1', key, key);
    await keysOf();
    fixture.clock.advance(1000);
    postgresGoes();
    await fixture.text('t-1', 'a2', 'journaled');
    await remove('a3');
    for (const includeBodies of [true, false]) {
      const listed = (more: object) => fixture.list('t-1', { includeBodies, keyPrefix: 'a', ...more });
      const first = { totalCount: 2, hasMore: true, degraded: true, attachments: [{ key: 'a1' }] };
      const page = await listed({ limit: 1 });
      expect(page).toMatchObject(first);
      expect(page.attachments[0]?.content).toBe(includeBodies ? 'a1' : undefined);
      const last = { totalCount: 2, hasMore: false, degraded: true, attachments: [{ key: 'a2' }] };
      expect(await listed({ offset: 1 })).toMatchObject(last);
      expect(await listed({ limit: 1, descending: true })).toMatchObject({ attachments: [{ key: 'a2' }] });
      expect(await listed({ type: 'url' })).toEqual({ attachments: [], totalCount: 0, hasMore: false, degraded: true });
    }
  });

  it('a filtered list is empty if the cache does not know the whole task', async () => {
    await fixture.text('t-1', 'a1', 'x');
    fixture.redis.fails = 'unavailable';
    fixture.clock.advance(1000);
    await fixture.text('t-1', 'a2', 'x');
    fixture.redis.fails = undefined;
    await fixture.useCases.projectChanges.execute();
    postgresGoes();
    const empty = { attachments: [], totalCount: 0, hasMore: false, degraded: true };
    expect(await fixture.list('t-1', { keyPrefix: 'a' })).toEqual(empty);
  });

  it('a list shows nothing that another replica has deleted in PostgreSQL over the journal', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1000);
    postgresGoes();
    await fixture.text('t-1', 'k', 'journaled');
    await fixture.text('t-1', 'l', 'journaled');
    postgresReturns();
    fixture.redis.fails = 'unavailable';
    fixture.clock.advance(1000);
    await fixture.text('t-1', 'k', 'later');
    await remove('k');
    fixture.redis.fails = undefined;

    const { store, cache, clock, metrics } = fixture;
    const { acknowledged } = newReplicaState(fixture.ports);
    const lookup = new AttachmentLookup(store, cache, clock, metrics, acknowledged);
    const corrected = new CorrectedList(store, cache, lookup, acknowledged);
    const { organization } = CALLER;
    const firstPage = { keyPrefix: '', limit: 50, offset: 0, descending: false };
    const query = { taskId: 't-1', organization, nowMs: fixture.clock.nowMs(), ...firstPage };
    for (const includeBodies of [true, false]) {
      const cached = await fixture.cache.readPage(query);
      const page = await corrected.find({ ...query, includeBodies }, cached, CALLER, new Deadline(fixture.clock));
      expect(page).toMatchObject({ attachments: [{ key: 'l' }], totalCount: 1 });
    }
  });

  it('a write that PostgreSQL will never take is kept among the dead letters', async () => {
    postgresGoes();
    await fixture.text('t-1', 'bad', 'x');
    fixture.postgres.fails = 'refused';
    await drained();
    postgresGoes();
    await fixture.text('t-1', 'good', 'x');
    postgresReturns();
    await drained();
    expect(await fixture.journal.backlog()).toEqual({ waiting: 0, deadLetters: 1 });
    expect(await outcomeOf(get('bad'))).toBe('attachment-not-found');
    expect((await get('good')).attachment.content).toBe('x');
  });

  it('completing a task overwrites a journaled result, however new', async () => {
    postgresGoes();
    fixture.clock.advance(60_000);
    await fixture.text('t-1', 'result', 'draft');
    fixture.clock.advance(-60_000);
    postgresReturns();
    await fixture.useCases.completeTask.execute({ taskId: 't-1', result: JsonText.of('final') }, CALLER);
    await drained();
    await fixture.useCases.projectChanges.execute();
    expect((await get('result')).attachment.value?.text).toBe('"final"');
  });
});

describe('while the cache is unavailable', () => {
  it('PostgreSQL alone is used, and nothing older is returned afterwards', async () => {
    await fixture.text('t-1', 'k', 'old');
    await fixture.text('t-1', 'gone', 'x');
    fixture.redis.fails = 'unavailable';
    fixture.clock.advance(1000);
    await fixture.text('t-1', 'k', 'new');
    await remove('gone');
    expect((await get('k')).attachment.content).toBe('new');
    expect(await keysOf()).toEqual(['k']);

    fixture.redis.fails = undefined;
    expect((await get('k')).attachment.content).toBe('new');
    expect(await outcomeOf(get('gone'))).toBe('attachment-not-found');
    expect(await keysOf()).toEqual(['k']);
    postgresGoes();
    expect(await outcomeOf(get('gone'))).not.toBe('answered');
  });

  it('a list shows no deleted attachment that a late put brings into the cache', async () => {
    await fixture.list('t-1');
    fixture.redis.fails = 'unavailable';
    const { attachment } = await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1);
    await remove('k');
    fixture.redis.fails = undefined;
    expect(await keysOf()).toEqual([]);
    await fixture.cache.apply(putChange(attachment));
    expect(await keysOf()).toEqual([]);
  });

  it('nothing is returned without what only the journal has', async () => {
    postgresGoes();
    await fixture.text('t-1', 'k', 'journaled');
    postgresReturns();
    fixture.redis.fails = 'unavailable';
    expect(await outcomeOf(get('k'))).toBe('redis unavailable');
    expect(await fixture.list('t-1')).toMatchObject({ attachments: [], degraded: true });
    fixture.redis.fails = undefined;
    await drained();
    fixture.redis.fails = 'unavailable';
    expect((await get('k')).attachment.content).toBe('journaled');
    expect(await keysOf()).toEqual(['k']);
  });
});

describe('a cache whose cursor is unknown', () => {
  it('is believed after it has been told of every change since it could hold anything', async () => {
    fixture = new JournalingFixture();
    await fixture.task('t-1');
    await fixture.text('t-1', 'k', 'old');
    fixture.redis.fails = 'unavailable';
    await fixture.text('t-1', 'k', 'new');
    fixture.redis.fails = undefined;
    fixture.clock.advance(0.9 * HOUR_MS);

    const other = composeUseCases(fixture.ports);
    await other.projectChanges.execute();
    const { attachment } = await other.getAttachment.execute(t1('k'), CALLER);
    expect(attachment.content).toBe('new');
  });
});

describe('a cache that can be read, but takes no changes', () => {
  const refusing = () => {
    const cache = Object.create(fixture.cache) as AttachmentCache;
    const refuse = () => Promise.reject(new StoreError('redis', 'failed'));
    return Object.assign(cache, { cursors: () => fixture.cache.cursors(), project: refuse });
  };

  const projectInto = (cache: AttachmentCache) => {
    const { ports, state } = fixture;
    return composeUseCases({ ...ports, cache }, { state }).projectChanges.execute();
  };

  const asksStore = async () => {
    await fixture.useCases.projectChanges.execute();
    fixture.forgetCalls();
    await get('k');
    return fixture.postgres.calls.includes('find');
  };

  it('is not believed until it has caught up', async () => {
    await fixture.text('t-1', 'k', 'x');
    await get('k');
    expect(await outcomeOf(projectInto(refusing()))).toBe('redis failed');
    fixture.forgetCalls();
    await get('k');
    expect(fixture.postgres.calls).toEqual(['find']);
    await fixture.useCases.projectChanges.execute();
    fixture.forgetCalls();
    await get('k');
    expect(fixture.postgres.calls).toEqual([]);
  });

  it('is not believed while a long transaction holds the projection back', async () => {
    await fixture.text('t-1', 'k', 'x');
    await get('k');
    const underWay = fixture.database.begin();
    await fixture.text('t-1', 'other', 'x');
    expect(await asksStore()).toBe(false);
    fixture.clock.advance(1001);
    expect(await asksStore()).toBe(true);
    fixture.database.commit(underWay, () => undefined);
    expect(await asksStore()).toBe(false);
  });

  it('is not believed while one long transaction follows the other', async () => {
    await fixture.text('t-1', 'k', 'x');
    await get('k');
    const first = fixture.database.begin();
    expect(await asksStore()).toBe(false);
    const second = fixture.database.begin();
    await fixture.text('t-1', 'other', 'x');
    expect(await asksStore()).toBe(false);
    fixture.clock.advance(1001);
    fixture.database.commit(first, () => undefined);
    expect(await asksStore()).toBe(true);
    fixture.database.commit(second, () => undefined);
    expect(await asksStore()).toBe(false);
  });

  it('is not believed while it does not say how far it has come', async () => {
    await fixture.text('t-1', 'k', 'x');
    await get('k');
    const away = Object.assign(refusing(), { cursors: () => Promise.reject(new StoreError('redis', 'timeout')) });
    expect(await outcomeOf(projectInto(away))).toBe('redis timeout');
    fixture.forgetCalls();
    await get('k');
    expect(fixture.postgres.calls).toEqual(['find']);
  });
});

describe('while PostgreSQL is silent and Redis slow', () => {
  const silent = (...args: unknown[]) => {
    fixture.clock.advance(args.at(-1) as number);
    return Promise.reject(new StoreError('postgres', 'timeout'));
  };
  const slowly = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return (...args: Args) => {
      fixture.clock.advance(CACHE_TIMEOUT_MS - 1);
      return call(...args);
    };
  };
  const slow = () => {
    const { cache, journal, ports, state } = fixture;
    const store = Object.assign(Object.create(fixture.store) as AttachmentStore, { put: silent, delete: silent });
    const slowCache = Object.assign(Object.create(cache) as AttachmentCache, {
      read: slowly((...args: Parameters<AttachmentCache['read']>) => cache.read(...args)),
    });
    const slowJournal = Object.assign(Object.create(journal) as AttachmentJournal, {
      append: slowly((...args: Parameters<AttachmentJournal['append']>) => journal.append(...args)),
    });
    const slowPorts = { ...ports, store, cache: slowCache, journal: slowJournal };
    const { createAttachment, deleteAttachment } = composeUseCases(slowPorts, { state });
    return { create: createAttachment, remove: deleteAttachment };
  };
  const outcomeInTime = async (call: () => Promise<unknown>) => {
    const startedAtMs = fixture.clock.monotonicMs();
    const outcome = await outcomeOf(call());
    return { outcome, inTime: fixture.clock.monotonicMs() - startedAtMs <= OPERATION_TIMEOUT_MS };
  };

  it('every write ends within its time', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1);
    const { create, remove } = slow();
    const command = { ...t1('k'), type: 'text' as const, content: 'y', condition: undefined };
    expect(await outcomeInTime(() => create.execute(command, CALLER))).toEqual({ outcome: 'answered', inTime: true });
    expect(await outcomeInTime(() => remove.execute(t1('k'), CALLER))).toEqual({ outcome: 'answered', inTime: true });
    const unknown = await outcomeInTime(() => remove.execute(t1('never-there'), CALLER));
    expect(unknown).toEqual({ outcome: 'postgres unavailable', inTime: true });
  });

  it('a write that a newer version has overtaken is not begun again', async () => {
    fixture.clock.advance(60_000);
    await fixture.text('t-1', 'k', 'by a clock ahead');
    fixture.clock.advance(-60_000);
    const command = { ...t1('k'), type: 'text' as const, content: 'y', condition: undefined };
    const { create } = slow();
    const overtaken = await outcomeInTime(() => create.execute(command, CALLER));
    expect(overtaken).toEqual({ outcome: 'postgres timeout', inTime: true });
  });
});

describe('while both are unavailable', () => {
  it('every method says so', async () => {
    await fixture.text('t-1', 'k', 'x');
    postgresGoes();
    fixture.redis.fails = 'unavailable';
    expect(await outcomeOf(get('k'))).toBe('postgres unavailable');
    expect(await outcomeOf(fixture.text('t-1', 'k', 'y'))).toBe('postgres unavailable');
    expect(await outcomeOf(remove('k'))).toBe('postgres unavailable');
    expect(await fixture.list('t-1')).toEqual({ attachments: [], totalCount: 0, hasMore: false, degraded: true });
    fixture.redis.fails = 'failed';
    expect(await outcomeOf(fixture.text('t-1', 'k', 'y'))).toBe('postgres unavailable');
  });
});

it('no write is taken while PostgreSQL is unavailable if the cache ends with the process', async () => {
  fixture = new Fixture();
  await fixture.task('t-1');
  await fixture.text('t-1', 'k', 'x');
  await get('k');
  postgresGoes();
  expect(await outcomeOf(fixture.text('t-1', 'k', 'y'))).toBe('postgres unavailable');
  expect(await outcomeOf(remove('k'))).toBe('postgres unavailable');
  expect((await get('k')).attachment.content).toBe('x');
});
