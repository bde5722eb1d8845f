import { DomainError, type Refusal } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { StoreError } from '../../../../src/core/ports/store-error';
import { CALLER, FOREIGN_CALLER, Fixture } from '../../../support/fixture';

const refusal = async (promise: Promise<unknown>): Promise<Refusal> => {
  const error: unknown = await promise.then(
    () => new Error('was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof DomainError) return error.refusal;
  throw error;
};

let fixture: Fixture;
beforeEach(async () => {
  fixture = new Fixture();
  await fixture.task('t-1');
});

const get = async (key: string, caller = CALLER) =>
  (await fixture.useCases.getAttachment.execute({ taskId: 't-1', key }, caller)).attachment;

describe('creating an attachment', () => {
  it('returns what was stored, counts it, and records its event', async () => {
    const { attachment, replaced } = await fixture.text('t-1', 'notes', 'hello');
    expect(replaced).toBe(false);
    expect(await get('notes')).toEqual(attachment);
    expect(fixture.metrics.created).toEqual(['text']);
    expect(fixture.database.events.at(-1)).toMatchObject({
      type: 'task.attachment_created',
      payload: { taskId: 't-1', key: 'notes', type: 'text', attachmentId: attachment.id, instanceId: 'instance-1' },
      metadata: { eventId: attachment.op, version: attachment.version, replaced: false },
    });
  });

  it('over another replaces all of it but its identity', async () => {
    const first = await fixture.text('t-1', 'k', 'old', { ttlSeconds: 60, mimeType: 'text/x' });
    fixture.clock.advance(5);
    const second = await fixture.useCases.createAttachment.execute(
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
      updatedAtMs: fixture.clock.nowMs(),
    });
    expect(fixture.database.events.at(-1)).toMatchObject({
      payload: { attachmentId: id },
      metadata: { replaced: true },
    });
  });

  it('takes a higher version if its clock is behind the stored version', async () => {
    fixture.clock.advance(60_000);
    const ahead = await fixture.text('t-1', 'k', 'from a clock ahead');
    fixture.clock.advance(-60_000);
    const behind = await fixture.text('t-1', 'k', 'from a clock behind');
    expect(behind.attachment.version).toBeGreaterThan(ahead.attachment.version);
    expect((await get('k')).content).toBe('from a clock behind');
  });

  it('is refused if the task is missing or foreign', async () => {
    const missing = { kind: 'task-not-found', taskId: 't-none' };
    expect(await refusal(fixture.text('t-none', 'k', 'x'))).toEqual(missing);
    const command = { taskId: 't-1', key: 'k', type: 'text' as const, content: 'x', condition: undefined };
    expect(await refusal(fixture.useCases.createAttachment.execute(command, FOREIGN_CALLER))).toEqual({
      ...missing,
      taskId: 't-1',
    });
  });

  it('with a condition that fails, names the version in its way', async () => {
    const absent = { kind: 'version-conflict', taskId: 't-1', key: 'k', currentVersion: null };
    expect(await refusal(fixture.text('t-1', 'k', 'x', { condition: { ifVersion: 2 } }))).toEqual(absent);
    const { attachment } = await fixture.text('t-1', 'k', 'x', { condition: { ifAbsent: true } });
    const present = { ...absent, currentVersion: attachment.version };
    expect(await refusal(fixture.text('t-1', 'k', 'y', { condition: { ifAbsent: true } }))).toEqual(present);
    expect(await refusal(fixture.text('t-1', 'k', 'y', { condition: { ifVersion: 2 } }))).toEqual(present);
    fixture.clock.advance(1);
    const changed = await fixture.text('t-1', 'k', 'y', { condition: { ifVersion: attachment.version } });
    expect(changed.replaced).toBe(true);
  });

  it('is refused beyond 10,000 attachments of one task, except for overwrites', async () => {
    for (let i = 0; i < 10_000; i++) await fixture.text('t-1', `k${i}`, '');
    expect(await refusal(fixture.text('t-1', 'one-more', ''))).toMatchObject({
      kind: 'invalid',
      errors: [{ field: 'taskId' }],
    });
    expect((await fixture.text('t-1', 'k0', 'again')).replaced).toBe(true);
    await fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k1' }, CALLER);
    expect((await fixture.text('t-1', 'one-more', '')).replaced).toBe(false);
  });

  it('works without the cache', async () => {
    await fixture.text('t-1', 'k', 'old');
    fixture.redis.fails = 'unavailable';
    fixture.clock.advance(1);
    await fixture.text('t-1', 'k', 'new');
    expect((await get('k')).content).toBe('new');
  });
});

describe('getting an attachment', () => {
  it('asks only the cache once the attachment is cached', async () => {
    await fixture.text('t-1', 'k', 'x');
    await get('k');
    fixture.forgetCalls();
    await get('k');
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['read'], []]);
    expect(fixture.metrics.hits).toBeGreaterThan(0);
  });

  it('asks the store on a miss, and fills the cache with what it returns', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(3_600_001);
    fixture.forgetCalls();
    expect((await get('k')).content).toBe('x');
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['read', 'fill'], ['find']]);
    await get('k');
    expect(fixture.postgres.calls).toEqual(['find']);
  });

  it('tells a missing task from a missing attachment', async () => {
    expect(await refusal(get('none'))).toEqual({ kind: 'attachment-not-found', taskId: 't-1', key: 'none' });
    const missingTask = fixture.useCases.getAttachment.execute({ taskId: 't-none', key: 'k' }, CALLER);
    expect(await refusal(missingTask)).toEqual({ kind: 'task-not-found', taskId: 't-none' });
  });

  it.each(['warm', 'cold'])('shows nothing to another organisation, with a cache that is %s', async (state) => {
    await fixture.text('t-1', 'k', 'secret');
    if (state === 'warm') await get('k');
    else fixture.clock.advance(3_600_001);
    expect(await refusal(get('k', FOREIGN_CALLER))).toEqual({ kind: 'task-not-found', taskId: 't-1' });
  });

  it.each(['get', 'list'])(
    'asks as many servers about a foreign task in the cache as about a missing one: %s',
    async (how) => {
      const missing = { taskId: 't-none', key: 'k' };
      const foreign = { taskId: 't-1', key: 'k' };
      const ask = async (ref: typeof missing) => {
        fixture.forgetCalls();
        const asked =
          how === 'get'
            ? fixture.useCases.getAttachment.execute(ref, FOREIGN_CALLER)
            : fixture.list(ref.taskId, {}, FOREIGN_CALLER);
        const outcome = await asked.catch((error: unknown) => error);
        return { outcome, postgres: [...fixture.postgres.calls], redis: [...fixture.redis.calls] };
      };
      await fixture.text('t-1', 'k', 'secret');
      await fixture.list('t-1');
      const answer = await ask(foreign);
      expect(answer.outcome).toBeInstanceOf(DomainError);
      expect({ ...answer, outcome: undefined }).toEqual({ ...(await ask(missing)), outcome: undefined });
      fixture.postgres.fails = 'unavailable';
      expect(await ask(foreign)).toEqual(await ask(missing));
    },
  );

  it('finds nothing after the time to live has passed, in the cache or in the store', async () => {
    await fixture.text('t-1', 'k', 'x', { ttlSeconds: 2 });
    await get('k');
    fixture.clock.advance(1999);
    expect((await get('k')).content).toBe('x');
    fixture.clock.advance(1);
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
    expect((await fixture.list('t-1')).totalCount).toBe(0);
    const { attachment, replaced } = await fixture.text('t-1', 'k', 'new');
    expect([replaced, attachment.createdAtMs]).toEqual([false, fixture.clock.nowMs()]);
  });

  it('works without the cache, and without the store if the cache knows the attachment', async () => {
    await fixture.text('t-1', 'k', 'x');
    fixture.redis.fails = 'timeout';
    expect((await get('k')).content).toBe('x');
    fixture.redis.fails = undefined;
    await get('k');
    fixture.postgres.fails = 'unavailable';
    expect((await get('k')).content).toBe('x');
    await expect(get('unknown')).rejects.toEqual(new StoreError('postgres', 'unavailable'));
  });
});

describe('getting a batch', () => {
  const batch = (requests: { taskId: string; key: string }[], allowMissing = false) =>
    fixture.useCases.getAttachmentsBatch.execute({ requests, allowMissing }, CALLER);
  const ref = (key: string, taskId = 't-1') => ({ taskId, key });

  beforeEach(async () => {
    await fixture.task('t-2');
    for (const key of ['a', 'b']) await fixture.text('t-1', key, key);
    await fixture.text('t-2', 'a', 'of t-2');
  });

  it('returns attachments in the order of the requests, repeated ones included', async () => {
    const { attachments } = await batch([ref('b'), ref('a', 't-2'), ref('a'), ref('b')]);
    expect(attachments.map((one) => one?.content)).toEqual(['b', 'of t-2', 'a', 'b']);
  });

  it('costs one read of the cache, and one query for everything that the cache does not know', async () => {
    fixture.clock.advance(3_600_001);
    fixture.forgetCalls();
    await batch([ref('a'), ref('b'), ref('a', 't-2')]);
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['read', 'fill'], ['find']]);
    fixture.forgetCalls();
    await batch([ref('a'), ref('b'), ref('a', 't-2')]);
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['read'], []]);
  });

  it('reads equal requests once, and returns the same object for each', async () => {
    const { attachments } = await batch([ref('a'), ref('b'), ref('a'), ref('none'), ref('a'), ref('none')], true);
    expect(attachments.map((one) => one && one.content)).toEqual(['a', 'b', 'a', null, 'a', null]);
    expect(attachments[2]).toBe(attachments[0]);
    expect([fixture.metrics.hits, fixture.metrics.misses]).toEqual([2, 1]);
  });

  it('fails for the first missing attachment, even if its task is missing', async () => {
    const refused = await refusal(batch([ref('a'), ref('a', 't-none'), ref('none')]));
    expect(refused).toEqual({ kind: 'attachment-not-found', taskId: 't-none', key: 'a' });
  });

  it('puts null in the place of a missing attachment if that is allowed', async () => {
    const { attachments } = await batch([ref('none'), ref('a'), ref('a', 't-none')], true);
    expect(attachments.map((one) => one && one.content)).toEqual([null, 'a', null]);
  });
});

describe('listing attachments', () => {
  beforeEach(async () => {
    for (const key of ['b', 'a', 'c']) {
      await fixture.text('t-1', key, `body of ${key}`);
      if (key !== 'b') fixture.clock.advance(1);
    }
  });
  const keys = (page: { attachments: readonly { key: string }[] }) => page.attachments.map(({ key }) => key);

  it('orders by creation, then by key, and pages through all', async () => {
    expect(keys(await fixture.list('t-1'))).toEqual(['a', 'b', 'c']);
    expect(keys(await fixture.list('t-1', { descending: true }))).toEqual(['c', 'b', 'a']);
    expect(await fixture.list('t-1', { limit: 2 })).toMatchObject({ totalCount: 3, hasMore: true });
    expect(await fixture.list('t-1', { limit: 2, offset: 2 })).toMatchObject({ totalCount: 3, hasMore: false });
    expect(await fixture.list('t-1', { offset: 9 })).toEqual({ attachments: [], totalCount: 3, hasMore: false });
  });

  it('asks only the cache once the cache knows the whole task', async () => {
    await fixture.list('t-1');
    fixture.forgetCalls();
    expect((await fixture.list('t-1')).attachments).toHaveLength(3);
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['readPage'], []]);
  });

  it('fills a task that is larger than a page in the background, once at a time', async () => {
    fixture.clock.advance(3_600_001);
    await Promise.all([fixture.list('t-1', { limit: 2 }), fixture.list('t-1', { limit: 1 })]);
    await fixture.state.filler.idle();
    expect(fixture.postgres.calls.filter((name) => name === 'outlines')).toHaveLength(1);
    fixture.forgetCalls();
    expect(keys(await fixture.list('t-1', { limit: 2 }))).toEqual(['a', 'b']);
    expect(fixture.postgres.calls).toEqual([]);
  });

  it('fetches bodies that the cache has lost in one query, and keeps them', async () => {
    fixture.clock.advance(3_600_001);
    await fixture.list('t-1', { includeBodies: false });
    await fixture.state.filler.idle();
    fixture.forgetCalls();
    const page = await fixture.list('t-1');
    expect(page.attachments.map(({ content }) => content)).toEqual(['body of a', 'body of b', 'body of c']);
    expect(fixture.postgres.calls).toEqual(['find']);
    await fixture.list('t-1');
    expect(fixture.postgres.calls).toEqual(['find']);
  });

  it('returns outlines if bodies are not asked for', async () => {
    for (const _ of ['cold', 'warm']) {
      const { attachments } = await fixture.list('t-1', { includeBodies: false });
      expect(attachments.map(({ content, bytes }) => [content, bytes])).toEqual(Array(3).fill([undefined, 9]));
    }
  });

  it('of outlines lets the cache know the task, and fetches no bodies', async () => {
    await fixture.task('t-empty');
    fixture.clock.advance(3_600_001);
    for (const taskId of ['t-1', 't-empty']) await fixture.list(taskId, { includeBodies: false });
    fixture.forgetCalls();
    for (const taskId of ['t-1', 't-empty']) await fixture.list(taskId, { includeBodies: false });
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([['readPage', 'readPage'], ['list']]);
  });

  it('filters by type and by prefix, past the index in the cache', async () => {
    await fixture.useCases.createAttachment.execute(
      { taskId: 't-1', key: 'ab', type: 'json', value: JsonText.of(0), condition: undefined },
      CALLER,
    );
    await fixture.list('t-1');
    fixture.forgetCalls();
    expect(keys(await fixture.list('t-1', { type: 'json' }))).toEqual(['ab']);
    expect(keys(await fixture.list('t-1', { keyPrefix: 'a' }))).toEqual(['a', 'ab']);
    expect([fixture.redis.calls, fixture.postgres.calls]).toEqual([
      ['readPage', 'readPage'],
      ['list', 'list'],
    ]);
  });

  it('is empty and degraded while no store is available; fails if the store fails', async () => {
    fixture.postgres.fails = 'unavailable';
    fixture.redis.fails = 'unavailable';
    const empty = { attachments: [], totalCount: 0, hasMore: false, degraded: true };
    expect(await fixture.list('t-1')).toEqual(empty);
    expect(await fixture.list('t-1', { type: 'json' })).toEqual(empty);
    fixture.postgres.fails = 'timeout';
    expect(await fixture.list('t-1')).toEqual(empty);
    fixture.postgres.fails = 'failed';
    await expect(fixture.list('t-1')).rejects.toEqual(new StoreError('postgres', 'failed'));
  });

  it('refuses a missing or foreign task, whether the cache is warm or cold', async () => {
    expect(await refusal(fixture.list('t-none'))).toEqual({ kind: 'task-not-found', taskId: 't-none' });
    await fixture.list('t-1');
    expect(await refusal(fixture.list('t-1', {}, FOREIGN_CALLER))).toMatchObject({ kind: 'task-not-found' });
    fixture.redis.fails = 'unavailable';
    expect(await refusal(fixture.list('t-1', {}, FOREIGN_CALLER))).toMatchObject({ kind: 'task-not-found' });
  });
});

describe('deleting an attachment', () => {
  const remove = (caller = CALLER) => fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k' }, caller);

  it('removes it from every response, for good', async () => {
    const { attachment } = await fixture.text('t-1', 'k', 'x');
    await fixture.list('t-1');
    fixture.clock.advance(1);
    expect(await remove()).toEqual({ id: attachment.id, taskId: 't-1', key: 'k', deletedAtMs: fixture.clock.nowMs() });
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
    expect((await fixture.list('t-1')).attachments).toEqual([]);
    expect(await refusal(remove())).toEqual({ kind: 'attachment-not-found', taskId: 't-1', key: 'k' });
    const deleted = fixture.database.events.filter(({ type }) => type === 'task.attachment.deleted');
    expect(deleted).toMatchObject([
      { payload: { attachmentId: attachment.id }, metadata: { deletedBy: 'instance-1' } },
    ]);
  });

  it('on condition of a version deletes that version and no other', async () => {
    const removeIf = (ifVersion: number) =>
      fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k', ifVersion }, CALLER);
    const conflict = { kind: 'version-conflict', taskId: 't-1', key: 'k' };
    expect(await refusal(removeIf(2))).toEqual({ ...conflict, currentVersion: null });
    const { version } = (await fixture.text('t-1', 'k', 'x')).attachment;
    fixture.clock.advance(1);
    expect(await refusal(removeIf(version - 2))).toEqual({ ...conflict, currentVersion: version });
    expect((await get('k')).content).toBe('x');
    expect(await removeIf(version)).toMatchObject({ key: 'k' });
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
  });

  it('works whatever the clock says', async () => {
    fixture.clock.advance(60_000);
    await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(-60_000);
    await remove();
    expect(await refusal(get('k'))).toMatchObject({ kind: 'attachment-not-found' });
  });

  it('makes room for a new attachment with an identity of its own', async () => {
    const first = await fixture.text('t-1', 'k', 'x');
    fixture.clock.advance(1);
    await remove();
    fixture.clock.advance(1);
    const second = await fixture.text('t-1', 'k', 'y');
    expect(second.replaced).toBe(false);
    expect(second.attachment.id).not.toBe(first.attachment.id);
  });

  it('is refused to another organisation, which learns nothing', async () => {
    await fixture.text('t-1', 'k', 'x');
    expect(await refusal(remove(FOREIGN_CALLER))).toEqual({ kind: 'task-not-found', taskId: 't-1' });
    expect((await get('k')).content).toBe('x');
  });
});
