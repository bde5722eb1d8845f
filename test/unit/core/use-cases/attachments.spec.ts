import { DomainError, type Refusal } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { StoreError } from '../../../../src/core/ports/store-error';
import { CALLER, FOREIGN_CALLER, House } from '../../../support/house';

const refusal = async (promise: Promise<unknown>): Promise<Refusal> => {
  const error: unknown = await promise.then(
    () => new Error('was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof DomainError) return error.refusal;
  throw error;
};

let house: House;
beforeEach(async () => {
  house = new House();
  await house.task('t-1');
});

const get = async (key: string, caller = CALLER) =>
  (await house.getAttachment.execute({ taskId: 't-1', key }, caller)).attachment;

describe('creating an attachment', () => {
  it('answers what was stored, counts it, and records its event', async () => {
    const { attachment, replaced } = await house.text('t-1', 'notes', 'hello');
    expect(replaced).toBe(false);
    expect(await get('notes')).toEqual(attachment);
    expect(house.metrics.created).toEqual(['text']);
    expect(house.database.events.at(-1)).toMatchObject({
      type: 'task.attachment_created',
      payload: { taskId: 't-1', key: 'notes', type: 'text', attachmentId: attachment.id, instanceId: 'instance-1' },
      metadata: { eventId: attachment.op, version: attachment.version, replaced: false },
    });
  });

  it('over another replaces all of it but its identity', async () => {
    const first = await house.text('t-1', 'k', 'old', { ttlSeconds: 60, mimeType: 'text/x' });
    house.clock.advance(5);
    const second = await house.createAttachment.execute(
      { taskId: 't-1', key: 'k', type: 'json', value: JsonText.of(null), condition: undefined },
      { ...CALLER, name: 'instance-2' },
    );
    expect(second.replaced).toBe(true);
    expect(second.attachment.version).toBeGreaterThan(first.attachment.version);
    const { id, createdAtMs, createdBy } = first.attachment;
    const { op, version } = second.attachment;
    expect(await get('k')).toEqual({
      id,
      createdAtMs,
      createdBy,
      op,
      version,
      taskId: 't-1',
      key: 'k',
      type: 'json',
      value: JsonText.of(null),
      bytes: 4,
      updatedAtMs: house.clock.nowMs(),
    });
    expect(house.database.events.at(-1)).toMatchObject({ payload: { attachmentId: id }, metadata: { replaced: true } });
  });

  it('goes on with a higher version when its clock is behind what is stored', async () => {
    house.clock.advance(60_000);
    const ahead = await house.text('t-1', 'k', 'from a clock ahead');
    house.clock.advance(-60_000);
    const behind = await house.text('t-1', 'k', 'from a clock behind');
    expect(behind.attachment.version).toBeGreaterThan(ahead.attachment.version);
    expect((await get('k')).content).toBe('from a clock behind');
  });

  it('is refused for a task that is missing, or foreign', async () => {
    const missing = { kind: 'task-not-found', taskId: 't-none' };
    expect(await refusal(house.text('t-none', 'k', 'x'))).toEqual(missing);
    const command = { taskId: 't-1', key: 'k', type: 'text' as const, content: 'x', condition: undefined };
    expect(await refusal(house.createAttachment.execute(command, FOREIGN_CALLER))).toEqual({
      ...missing,
      taskId: 't-1',
    });
  });

  it('on conditions says which version stands in its way', async () => {
    const absent = { kind: 'version-conflict', taskId: 't-1', key: 'k', currentVersion: null };
    expect(await refusal(house.text('t-1', 'k', 'x', { condition: { ifVersion: 2 } }))).toEqual(absent);
    const { attachment } = await house.text('t-1', 'k', 'x', { condition: { ifAbsent: true } });
    const present = { ...absent, currentVersion: attachment.version };
    expect(await refusal(house.text('t-1', 'k', 'y', { condition: { ifAbsent: true } }))).toEqual(present);
    expect(await refusal(house.text('t-1', 'k', 'y', { condition: { ifVersion: 2 } }))).toEqual(present);
    house.clock.advance(1);
    const changed = await house.text('t-1', 'k', 'y', { condition: { ifVersion: attachment.version } });
    expect(changed.replaced).toBe(true);
  });

  it('stops at 10,000 under one task, overwrites apart', async () => {
    for (let i = 0; i < 10_000; i++) await house.text('t-1', `k${i}`, '');
    expect(await refusal(house.text('t-1', 'one-more', ''))).toMatchObject({
      kind: 'invalid',
      errors: [{ field: 'taskId' }],
    });
    expect((await house.text('t-1', 'k0', 'again')).replaced).toBe(true);
    await house.deleteAttachment.execute({ taskId: 't-1', key: 'k1' }, CALLER);
    expect((await house.text('t-1', 'one-more', '')).replaced).toBe(false);
  });

  it('goes on without the cache', async () => {
    await house.text('t-1', 'k', 'old');
    house.redis.fails = 'unavailable';
    house.clock.advance(1);
    await house.text('t-1', 'k', 'new');
    expect((await get('k')).content).toBe('new');
  });
});

describe('getting an attachment', () => {
  it('asks the cache alone once it is there', async () => {
    await house.text('t-1', 'k', 'x');
    await get('k');
    house.forgetCalls();
    await get('k');
    expect([house.redis.calls, house.postgres.calls]).toEqual([['read'], []]);
    expect(house.metrics.hits).toBeGreaterThan(0);
  });

  it('asks the store on a miss, and leaves the answer in the cache', async () => {
    await house.text('t-1', 'k', 'x');
    house.clock.advance(3_600_001);
    house.forgetCalls();
    expect((await get('k')).content).toBe('x');
    expect([house.redis.calls, house.postgres.calls]).toEqual([['read', 'fill'], ['find']]);
    await get('k');
    expect(house.postgres.calls).toEqual(['find']);
  });

  it('tells a missing task from a missing attachment', async () => {
    expect(await refusal(get('none'))).toEqual({ kind: 'attachment-not-found', taskId: 't-1', key: 'none' });
    const missingTask = house.getAttachment.execute({ taskId: 't-none', key: 'k' }, CALLER);
    expect(await refusal(missingTask)).toEqual({ kind: 'task-not-found', taskId: 't-none' });
  });

  it.each(['warm', 'cold'])('shows nothing to another organisation, the cache being %s', async (state) => {
    await house.text('t-1', 'k', 'secret');
    if (state === 'warm') await get('k');
    else house.clock.advance(3_600_001);
    expect(await refusal(get('k', FOREIGN_CALLER))).toEqual({ kind: 'task-not-found', taskId: 't-1' });
  });

  it.each(['get', 'list'])(
    'asks as many servers about a foreign task in the cache as about a missing one: %s',
    async (how) => {
      const missing = { taskId: 't-none', key: 'k' };
      const foreign = { taskId: 't-1', key: 'k' };
      const ask = async (ref: typeof missing) => {
        house.forgetCalls();
        const asked =
          how === 'get' ? house.getAttachment.execute(ref, FOREIGN_CALLER) : house.list(ref.taskId, {}, FOREIGN_CALLER);
        const outcome = await asked.catch((error: unknown) => error);
        return { outcome, postgres: [...house.postgres.calls], redis: [...house.redis.calls] };
      };
      await house.text('t-1', 'k', 'secret');
      await house.list('t-1');
      const answer = await ask(foreign);
      expect(answer.outcome).toBeInstanceOf(DomainError);
      expect({ ...answer, outcome: undefined }).toEqual({ ...(await ask(missing)), outcome: undefined });
      house.postgres.fails = 'unavailable';
      expect(await ask(foreign)).toEqual(await ask(missing));
    },
  );

  it('finds nothing once the time to live has passed, wherever it was kept', async () => {
    await house.text('t-1', 'k', 'x', { ttlSeconds: 2 });
    await get('k');
    house.clock.advance(1999);
    expect((await get('k')).content).toBe('x');
    house.clock.advance(1);
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
    expect((await house.list('t-1')).totalCount).toBe(0);
    const { attachment, replaced } = await house.text('t-1', 'k', 'new');
    expect([replaced, attachment.createdAtMs]).toEqual([false, house.clock.nowMs()]);
  });

  it('goes on without the cache, and without the store where the cache knows', async () => {
    await house.text('t-1', 'k', 'x');
    house.redis.fails = 'timeout';
    expect((await get('k')).content).toBe('x');
    house.redis.fails = undefined;
    await get('k');
    house.postgres.fails = 'unavailable';
    expect((await get('k')).content).toBe('x');
    await expect(get('unknown')).rejects.toEqual(new StoreError('postgres', 'unavailable'));
  });
});

describe('getting a batch', () => {
  const batch = (requests: { taskId: string; key: string }[], allowMissing = false) =>
    house.getAttachmentsBatch.execute({ requests, allowMissing }, CALLER);
  const ref = (key: string, taskId = 't-1') => ({ taskId, key });

  beforeEach(async () => {
    await house.task('t-2');
    for (const key of ['a', 'b']) await house.text('t-1', key, key);
    await house.text('t-2', 'a', 'of t-2');
  });

  it('answers in the order of the requests, repeated ones included', async () => {
    const { attachments } = await batch([ref('b'), ref('a', 't-2'), ref('a'), ref('b')]);
    expect(attachments.map((one) => one?.content)).toEqual(['b', 'of t-2', 'a', 'b']);
  });

  it('costs one read of the cache, and one query for all that it does not know', async () => {
    house.clock.advance(3_600_001);
    house.forgetCalls();
    await batch([ref('a'), ref('b'), ref('a', 't-2')]);
    expect([house.redis.calls, house.postgres.calls]).toEqual([['read', 'fill'], ['find']]);
    house.forgetCalls();
    await batch([ref('a'), ref('b'), ref('a', 't-2')]);
    expect([house.redis.calls, house.postgres.calls]).toEqual([['read'], []]);
  });

  it('fails for the first that is missing, also for want of its task', async () => {
    const refused = await refusal(batch([ref('a'), ref('a', 't-none'), ref('none')]));
    expect(refused).toEqual({ kind: 'attachment-not-found', taskId: 't-none', key: 'a' });
  });

  it('puts null in the place of what is missing where that is allowed', async () => {
    const { attachments } = await batch([ref('none'), ref('a'), ref('a', 't-none')], true);
    expect(attachments.map((one) => one && one.content)).toEqual([null, 'a', null]);
  });
});

describe('listing attachments', () => {
  beforeEach(async () => {
    for (const key of ['b', 'a', 'c']) {
      await house.text('t-1', key, `body of ${key}`);
      if (key !== 'b') house.clock.advance(1);
    }
  });
  const keys = (page: { attachments: readonly { key: string }[] }) => page.attachments.map(({ key }) => key);

  it('orders by creation, then by key, and pages through all', async () => {
    expect(keys(await house.list('t-1'))).toEqual(['a', 'b', 'c']);
    expect(keys(await house.list('t-1', { descending: true }))).toEqual(['c', 'b', 'a']);
    expect(await house.list('t-1', { limit: 2 })).toMatchObject({ totalCount: 3, hasMore: true });
    expect(await house.list('t-1', { limit: 2, offset: 2 })).toMatchObject({ totalCount: 3, hasMore: false });
    expect(await house.list('t-1', { offset: 9 })).toEqual({ attachments: [], totalCount: 3, hasMore: false });
  });

  it('is answered by the cache alone once it knows the whole task', async () => {
    await house.list('t-1');
    house.forgetCalls();
    expect((await house.list('t-1')).attachments).toHaveLength(3);
    expect([house.redis.calls, house.postgres.calls]).toEqual([['readPage'], []]);
  });

  it('fills what is larger than a page behind the back of the caller, once at a time', async () => {
    house.clock.advance(3_600_001);
    await Promise.all([house.list('t-1', { limit: 2 }), house.list('t-1', { limit: 1 })]);
    await house.filler.idle();
    expect(house.postgres.calls.filter((name) => name === 'summaries')).toHaveLength(1);
    house.forgetCalls();
    expect(keys(await house.list('t-1', { limit: 2 }))).toEqual(['a', 'b']);
    expect(house.postgres.calls).toEqual([]);
  });

  it('fetches bodies that the cache has lost in one query, and keeps them', async () => {
    house.clock.advance(3_600_001);
    await house.list('t-1', { includeBodies: false });
    await house.filler.idle();
    house.forgetCalls();
    const page = await house.list('t-1');
    expect(page.attachments.map(({ content }) => content)).toEqual(['body of a', 'body of b', 'body of c']);
    expect(house.postgres.calls).toEqual(['find']);
    await house.list('t-1');
    expect(house.postgres.calls).toEqual(['find']);
  });

  it('leaves bodies out where they are not wanted', async () => {
    for (const _ of ['cold', 'warm']) {
      const { attachments } = await house.list('t-1', { includeBodies: false });
      expect(attachments.map(({ content, bytes }) => [content, bytes])).toEqual(Array(3).fill([undefined, 9]));
    }
  });

  it('without bodies lets the cache know the task, and fetches no bodies', async () => {
    await house.task('t-empty');
    house.clock.advance(3_600_001);
    for (const taskId of ['t-1', 't-empty']) await house.list(taskId, { includeBodies: false });
    house.forgetCalls();
    for (const taskId of ['t-1', 't-empty']) await house.list(taskId, { includeBodies: false });
    expect([house.redis.calls, house.postgres.calls]).toEqual([['readPage', 'readPage'], ['list']]);
  });

  it('filters by type and by prefix, past the index in the cache', async () => {
    await house.createAttachment.execute(
      { taskId: 't-1', key: 'ab', type: 'json', value: JsonText.of(0), condition: undefined },
      CALLER,
    );
    await house.list('t-1');
    house.forgetCalls();
    expect(keys(await house.list('t-1', { type: 'json' }))).toEqual(['ab']);
    expect(keys(await house.list('t-1', { keyPrefix: 'a' }))).toEqual(['a', 'ab']);
    expect([house.redis.calls, house.postgres.calls]).toEqual([
      ['readPage', 'readPage'],
      ['list', 'list'],
    ]);
  });

  it('is empty and says so while nobody can answer; fails when the store does', async () => {
    house.postgres.fails = 'unavailable';
    house.redis.fails = 'unavailable';
    const empty = { attachments: [], totalCount: 0, hasMore: false, degraded: true };
    expect(await house.list('t-1')).toEqual(empty);
    expect(await house.list('t-1', { type: 'json' })).toEqual(empty);
    house.postgres.fails = 'timeout';
    expect(await house.list('t-1')).toEqual(empty);
    house.postgres.fails = 'failed';
    await expect(house.list('t-1')).rejects.toEqual(new StoreError('postgres', 'failed'));
  });

  it('refuses a missing or foreign task, the cache being warm or cold', async () => {
    expect(await refusal(house.list('t-none'))).toEqual({ kind: 'task-not-found', taskId: 't-none' });
    await house.list('t-1');
    expect(await refusal(house.list('t-1', {}, FOREIGN_CALLER))).toMatchObject({ kind: 'task-not-found' });
    house.redis.fails = 'unavailable';
    expect(await refusal(house.list('t-1', {}, FOREIGN_CALLER))).toMatchObject({ kind: 'task-not-found' });
  });
});

describe('deleting an attachment', () => {
  const remove = (caller = CALLER) => house.deleteAttachment.execute({ taskId: 't-1', key: 'k' }, caller);

  it('removes it from every answer, for good', async () => {
    const { attachment } = await house.text('t-1', 'k', 'x');
    await house.list('t-1');
    house.clock.advance(1);
    expect(await remove()).toEqual({ id: attachment.id, taskId: 't-1', key: 'k', deletedAtMs: house.clock.nowMs() });
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
    expect((await house.list('t-1')).attachments).toEqual([]);
    expect(await refusal(remove())).toEqual({ kind: 'attachment-not-found', taskId: 't-1', key: 'k' });
    const deleted = house.database.events.filter(({ type }) => type === 'task.attachment.deleted');
    expect(deleted).toMatchObject([
      { payload: { attachmentId: attachment.id }, metadata: { deletedBy: 'instance-1' } },
    ]);
  });

  it('works whatever the clock says', async () => {
    house.clock.advance(60_000);
    await house.text('t-1', 'k', 'x');
    house.clock.advance(-60_000);
    await remove();
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
  });

  it('makes room for a new attachment with an identity of its own', async () => {
    const first = await house.text('t-1', 'k', 'x');
    house.clock.advance(1);
    await remove();
    house.clock.advance(1);
    const second = await house.text('t-1', 'k', 'y');
    expect(second.replaced).toBe(false);
    expect(second.attachment.id).not.toBe(first.attachment.id);
  });

  it('is refused to strangers, who learn nothing', async () => {
    await house.text('t-1', 'k', 'x');
    expect(await refusal(remove(FOREIGN_CALLER))).toEqual({ kind: 'task-not-found', taskId: 't-1' });
    expect((await get('k')).content).toBe('x');
  });
});
