import { AttachmentFactory } from '../../../../src/core/consistency/attachment-factory';
import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { MemoryTaskStore } from '../../../../src/outbound/memory/memory-task-store';
import { CountingRoom, NoRoom } from '../../../support/counting-room';
import { CALLER, FOREIGN_CALLER, Fixture } from '../../../support/fixture';

let fixture: Fixture;
beforeEach(() => (fixture = new Fixture()));

const resultOf = async (taskId: string) =>
  (await fixture.useCases.getAttachment.execute({ taskId, key: 'result' }, CALLER)).attachment;
const eventTypes = () =>
  fixture.database.events.map(({ type, payload }) => `${type} ${String(payload['id'] ?? payload['taskId'])}`);

async function refusalOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'was not refused',
    (error: unknown) => (error instanceof DomainError ? error.refusal : error),
  );
}

describe('creating a task', () => {
  it('under a parent, with metadata', async () => {
    await fixture.task('t-1');
    const draft = { id: 't-2', text: 'x', priority: 7, metadata: JsonText.of({ a: 1 }), parentId: 't-1' };
    const { task, warnings } = await fixture.useCases.createTask.execute(draft, CALLER);
    expect(warnings).toEqual([]);
    expect(await fixture.useCases.getTask.execute('t-2', CALLER)).toEqual({ task, attachmentCount: 0 });
    expect(eventTypes()).toEqual(['task.created t-1', 'task.created t-2']);
  });

  it('is refused for an id that was ever used, even by a deleted or foreign task', async () => {
    await fixture.task('t-1');
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    await fixture.task('t-2', {}, FOREIGN_CALLER);
    for (const id of ['t-1', 't-2']) {
      expect(await refusalOf(fixture.useCases.createTask.execute({ id, text: 'x' }, CALLER))).toEqual({
        kind: 'task-exists',
        taskId: id,
      });
    }
  });

  it('returns a repeated creation as the first time, whatever has become of the task, and changes nothing', async () => {
    const metadata = JsonText.fromValid('{"a":1,"data":{"k":[1.0]}}');
    const draft = { id: 't-1', text: 'x', priority: 7, metadata };
    const first = await fixture.useCases.createTask.execute(draft, CALLER);
    fixture.clock.advance(1000);
    const updates = { text: 'y', status: 'in_progress' as const, metadata: JsonText.of({ b: 2 }) };
    await fixture.useCases.updateTask.execute({ taskId: 't-1', updates }, CALLER);
    await fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'k' }, CALLER);
    const before = eventTypes();

    const again = await fixture.useCases.createTask.execute(draft, { ...CALLER, name: 'instance-2' });
    const { text, status, priority, metadata: kept, parentId, createdAtMs } = first.task;
    expect(again.task).toMatchObject({ id: 't-1', text, status, priority, metadata: kept, parentId, createdAtMs });
    expect([again.replayed, again.warnings]).toEqual([true, first.warnings]);
    expect(first.replayed).toBeUndefined();
    expect(eventTypes()).toEqual(before);
    expect(fixture.metrics.created).toEqual(['json']);
    expect((await fixture.list('t-1')).attachments).toEqual([]);
    expect((await fixture.useCases.getTask.execute('t-1', CALLER)).task.text).toBe('y');
  });

  it('with a time to live returns when it ends, even if the call is repeated later', async () => {
    const draft = { id: 't-1', text: 'x', ttlSeconds: 7 };
    const { task } = await fixture.useCases.createTask.execute(draft, CALLER);
    expect(task.expiresAtMs).toBe(task.createdAtMs + 7000);
    fixture.clock.advance(1000);
    const again = await fixture.useCases.createTask.execute(draft, CALLER);
    expect(again).toMatchObject({ replayed: true, task: { expiresAtMs: task.expiresAtMs } });
    for (const ttlSeconds of [8, undefined]) {
      const other = fixture.useCases.createTask.execute({ ...draft, ttlSeconds }, CALLER);
      expect(await refusalOf(other)).toEqual({ kind: 'task-exists', taskId: 't-1' });
    }
    const updated = await fixture.useCases.updateTask.execute({ taskId: 't-1', updates: { text: 'y' } }, CALLER);
    expect(updated.expiresAtMs).toBe(task.expiresAtMs);
  });

  it('is refused for an id in use if the draft or the organisation is another', async () => {
    const draft = { id: 't-1', text: 'x', priority: 50, metadata: JsonText.of({ data: { k: 1 } }) };
    await fixture.useCases.createTask.execute(draft, CALLER);
    const exists = { kind: 'task-exists', taskId: 't-1' };
    for (const other of [{ text: 'y' }, { priority: 51 }, { metadata: JsonText.of({ data: { k: 2 } }) }]) {
      expect(await refusalOf(fixture.useCases.createTask.execute({ ...draft, ...other }, CALLER))).toEqual(exists);
    }
    expect(await refusalOf(fixture.useCases.createTask.execute(draft, FOREIGN_CALLER))).toEqual(exists);
    const { priority: _default, ...shorter } = draft;
    expect(await fixture.useCases.createTask.execute(shorter, CALLER)).toMatchObject({ replayed: true });
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    expect(await refusalOf(fixture.useCases.createTask.execute(draft, CALLER))).toEqual(exists);
  });

  it('is refused for a parent that is missing, deleted or foreign', async () => {
    await fixture.task('t-1');
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    await fixture.task('t-2', {}, FOREIGN_CALLER);
    for (const parentId of ['t-none', 't-1', 't-2']) {
      const create = fixture.useCases.createTask.execute({ text: 'x', parentId }, CALLER);
      expect(await refusalOf(create)).toEqual({ kind: 'task-not-found', taskId: parentId });
    }
  });

  it('turns the retired metadata.data into attachments, and says so', async () => {
    const metadata = JsonText.fromValid('{"a":1,"data":{"2":[1.0],"1":null}}');
    const { task, warnings } = await fixture.useCases.createTask.execute({ id: 't-1', text: 'x', metadata }, CALLER);
    expect(task.metadata.text).toBe('{"a":1}');
    expect(warnings).toEqual([expect.stringContaining('metadata.data')]);
    expect(fixture.metrics.created).toEqual(['json', 'json']);
    const empty = await fixture.useCases.createTask.execute({ text: 'x', metadata: JsonText.of({ data: {} }) }, CALLER);
    expect([empty.warnings.length, empty.task.metadata.text]).toEqual([1, '{}']);
    const { attachments } = await fixture.list('t-1');
    expect(attachments.map(({ key, type, value }) => [key, type, value?.text])).toEqual([
      ['1', 'json', 'null'],
      ['2', 'json', '[1.0]'],
    ]);
    expect((await fixture.useCases.getTask.execute('t-1', CALLER)).attachmentCount).toBe(2);
    expect(eventTypes()).toHaveLength(4);
  });

  it('names every member of metadata.data that cannot be an attachment, and stores nothing', async () => {
    const metadata = JsonText.of({ data: { '': 1, ok: 2, big: 'x'.repeat(1001) } });
    const refusal = await refusalOf(fixture.useCases.createTask.execute({ id: 't-1', text: 'x', metadata }, CALLER));
    expect(refusal).toMatchObject({
      kind: 'invalid',
      errors: [{ field: 'metadata.data.' }, { field: 'metadata.data.big' }],
    });
    expect(await refusalOf(fixture.useCases.getTask.execute('t-1', CALLER))).toMatchObject({ kind: 'task-not-found' });
  });

  it('takes room for what the members of metadata.data become, and makes nothing of them if there is none', async () => {
    const metadata = JsonText.of({ data: { a: 1, b: 2 } });
    const create = (unshownBytes: number) => {
      const room = new CountingRoom(0, 0, unshownBytes);
      return fixture.useCases.createTask.execute({ text: 'x', metadata }, CALLER, room).then(() => room);
    };
    const drafted = jest.spyOn(AttachmentFactory.prototype, 'draft');
    await expect(create(2 * 4096 - 1)).rejects.toThrow(NoRoom);
    expect(drafted).not.toHaveBeenCalled();
    expect((await create(2 * 4096)).unshown.takenBytes).toBe(2 * 4096);
    expect(drafted).toHaveBeenCalledTimes(2);
    drafted.mockRestore();
  });

  it('lets the cache know the whole task from the start', async () => {
    await fixture.task('t-1');
    fixture.forgetCalls();
    expect(await fixture.list('t-1')).toEqual({ attachments: [], totalCount: 0, hasMore: false });
    expect(fixture.postgres.calls).toEqual([]);
  });
});

describe('changing a task', () => {
  beforeEach(() => fixture.task('t-1'));

  it('updates the named members, and announces their names', async () => {
    const updates = { text: 'new', metadata: JsonText.of({ b: 2 }) };
    const task = await fixture.useCases.updateTask.execute(
      { taskId: 't-1', updates },
      { ...CALLER, name: 'instance-2' },
    );
    expect(task).toMatchObject({ text: 'new', updatedBy: 'instance-2', revision: 2 });
    expect(fixture.database.events.at(-1)).toMatchObject({
      type: 'task.updated',
      metadata: { updatedBy: 'instance-2', changes: ['text', 'metadata'] },
    });
  });

  it('loses none of several changes that are made at the same time', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(
      names.map((name) =>
        fixture.useCases.updateTask.execute(
          { taskId: 't-1', updates: { metadata: JsonText.of({ [name]: 1 }) } },
          CALLER,
        ),
      ),
    );
    const { task } = await fixture.useCases.getTask.execute('t-1', CALLER);
    expect([...task.metadata.members().keys()].sort()).toEqual(names);
    expect(task.revision).toBe(6);
  });

  it('reads it once for each of several changes that are made at the same time in one process', async () => {
    const read = jest.spyOn(MemoryTaskStore.prototype, 'get');
    try {
      const change = (priority: number) =>
        fixture.useCases.updateTask.execute({ taskId: 't-1', updates: { priority } }, CALLER);
      await Promise.all(Array.from({ length: 20 }, (_, i) => change(i)));
      expect(read).toHaveBeenCalledTimes(20);
    } finally {
      read.mockRestore();
    }
  });

  it('lets nobody wait for a change of another task, or for one of another organisation', async () => {
    await fixture.task('t-2');
    let end = () => undefined as void;
    const update = jest.spyOn(MemoryTaskStore.prototype, 'update');
    update.mockImplementationOnce(() => new Promise((resolve) => (end = () => resolve({ state: 'updated' }))));
    try {
      const change = (taskId: string, caller = CALLER) =>
        fixture.useCases.updateTask.execute({ taskId, updates: { text: 'x' } }, caller);
      const held = change('t-1');
      await expect(change('t-2')).resolves.toMatchObject({ text: 'x' });
      expect(await refusalOf(change('t-1', FOREIGN_CALLER))).toEqual({ kind: 'task-not-found', taskId: 't-1' });
      end();
      await held;
    } finally {
      update.mockRestore();
    }
  });

  it('completes it, and attaches its result in the same transaction', async () => {
    const command = { taskId: 't-1', workerId: 'worker-7', result: JsonText.of(null) };
    const task = await fixture.useCases.completeTask.execute(command, CALLER);
    expect(task).toMatchObject({ status: 'completed', completedBy: 'worker-7' });
    const result = await resultOf('t-1');
    expect([result.type, result.value?.text]).toEqual(['json', 'null']);
    expect(eventTypes().slice(1)).toEqual(['task.attachment_created t-1', 'task.completed t-1']);
    const refusal = await refusalOf(
      fixture.useCases.completeTask.execute({ ...command, result: JsonText.of(2) }, CALLER),
    );
    expect(refusal).toEqual({
      kind: 'task-finished',
      taskId: 't-1',
      status: 'completed',
      finishedBy: 'worker-7',
      finishedAtMs: task.completedAtMs,
    });
    expect((await resultOf('t-1')).value?.text).toBe('null');
  });

  it('returns a repeated completion as the first time, and changes nothing', async () => {
    const command = { taskId: 't-1', workerId: 'worker-7', result: JsonText.of([1]) };
    const first = await fixture.useCases.completeTask.execute(command, CALLER);
    fixture.clock.advance(1000);
    await fixture.useCases.deleteAttachment.execute({ taskId: 't-1', key: 'result' }, CALLER);
    const before = eventTypes();
    expect(await fixture.useCases.completeTask.execute(command, { ...CALLER, name: 'instance-2' })).toEqual(first);
    expect(eventTypes()).toEqual(before);
    expect(fixture.metrics.created).toEqual(['json']);
    for (const other of [{ workerId: 'worker-8' }, { result: JsonText.of([2]) }, { result: undefined }]) {
      const outcome = fixture.useCases.completeTask.execute({ ...command, ...other }, CALLER);
      expect(await refusalOf(outcome)).toMatchObject({ kind: 'task-finished', finishedBy: 'worker-7' });
    }
    const withError = { ...command, error: JsonText.of('late') };
    expect(await refusalOf(fixture.useCases.completeTask.execute(withError, CALLER))).toMatchObject({
      kind: 'task-finished',
    });
  });

  it('returns a repeated failure as the first time', async () => {
    const command = { taskId: 't-1', workerId: 'worker-7', error: JsonText.of('broken') };
    const first = await fixture.useCases.completeTask.execute(command, CALLER);
    expect(await fixture.useCases.completeTask.execute(command, CALLER)).toEqual(first);
    expect(first.status).toBe('failed');
    expect(eventTypes()).toEqual(['task.created t-1', 'task.completed t-1']);
  });

  it('does not change the status of a finished task', async () => {
    await fixture.useCases.cancelTask.execute('t-1', CALLER);
    const update = { taskId: 't-1', updates: { status: 'pending' as const } };
    for (const attempt of [
      fixture.useCases.updateTask.execute(update, CALLER),
      fixture.useCases.completeTask.execute({ taskId: 't-1' }, CALLER),
    ]) {
      expect(await refusalOf(attempt)).toMatchObject({ kind: 'task-finished', status: 'cancelled' });
    }
  });

  it('attaches a result over one whose clock was ahead', async () => {
    fixture.clock.advance(60_000);
    await fixture.text('t-1', 'result', 'draft');
    fixture.clock.advance(-60_000);
    await fixture.useCases.completeTask.execute({ taskId: 't-1', result: JsonText.of('final') }, CALLER);
    expect((await resultOf('t-1')).value?.text).toBe('"final"');
  });

  it('cancels it once; a finished task is returned as it is', async () => {
    const cancelled = await fixture.useCases.cancelTask.execute('t-1', CALLER);
    expect(cancelled).toMatchObject({ status: 'cancelled', cancelledBy: 'instance-1' });
    fixture.clock.advance(5);
    expect(await fixture.useCases.cancelTask.execute('t-1', CALLER)).toEqual(cancelled);
    expect(eventTypes()).toEqual(['task.created t-1', 'task.cancelled t-1']);
  });

  it('is refused to another organisation, which learns nothing', async () => {
    const missing = { kind: 'task-not-found', taskId: 't-1' };
    for (const attempt of [
      fixture.useCases.getTask.execute('t-1', FOREIGN_CALLER),
      fixture.useCases.updateTask.execute({ taskId: 't-1', updates: { text: 'x' } }, FOREIGN_CALLER),
      fixture.useCases.completeTask.execute({ taskId: 't-1' }, FOREIGN_CALLER),
      fixture.useCases.cancelTask.execute('t-1', FOREIGN_CALLER),
      fixture.useCases.deleteTask.execute('t-1', FOREIGN_CALLER),
    ]) {
      expect(await refusalOf(attempt)).toEqual(missing);
    }
  });
});

describe('listing tasks', () => {
  it('shows the tasks of the caller, a page at a time', async () => {
    for (const id of ['t-1', 't-2', 't-3']) await fixture.task(id);
    await fixture.task('t-4', {}, FOREIGN_CALLER);
    await fixture.text('t-2', 'k', 'x');
    const query = { limit: 2, offset: 0, orderBy: 'createdAt' as const, descending: true };
    const page = await fixture.useCases.listTasks.execute(query, CALLER);
    expect(page.tasks.map(({ task, attachmentCount }) => [task.id, attachmentCount])).toEqual([
      ['t-3', 0],
      ['t-2', 1],
    ]);
    expect(page).toMatchObject({ totalCount: 3, hasMore: true });
    expect(await fixture.useCases.listTasks.execute({ ...query, offset: 2 }, CALLER)).toMatchObject({ hasMore: false });
  });
});

describe('deleting a task', () => {
  it('cancels a task in progress, and deletes its sub-tasks and attachments with it', async () => {
    await fixture.task('t-1');
    await fixture.task('t-2', { parentId: 't-1' });
    await fixture.task('t-3', { parentId: 't-2' });
    await fixture.task('t-4');
    await fixture.text('t-3', 'k', 'x');
    await fixture.list('t-3');
    for (const taskId of ['t-1', 't-3']) {
      await fixture.useCases.updateTask.execute({ taskId, updates: { status: 'in_progress' } }, CALLER);
    }
    fixture.database.rows.forget(new Set(fixture.database.rows.all));

    expect(await fixture.useCases.deleteTask.execute('t-1', CALLER)).toEqual({
      taskId: 't-1',
      deletedAtMs: fixture.clock.nowMs(),
    });
    expect(eventTypes()).toEqual([
      'task.cancelled t-1',
      'task.deleted t-1',
      'task.deleted t-2',
      'task.cancelled t-3',
      'task.deleted t-3',
    ]);
    for (const taskId of ['t-1', 't-2', 't-3']) {
      const missing = { kind: 'task-not-found', taskId };
      expect(await refusalOf(fixture.useCases.getTask.execute(taskId, CALLER))).toEqual(missing);
      expect(await refusalOf(fixture.useCases.getAttachment.execute({ taskId, key: 'k' }, CALLER))).toEqual(missing);
      expect(await refusalOf(fixture.list(taskId))).toEqual(missing);
      expect(await refusalOf(fixture.text(taskId, 'k', 'y'))).toEqual(missing);
    }
    expect((await fixture.useCases.getTask.execute('t-4', CALLER)).task.id).toBe('t-4');
    expect(await refusalOf(fixture.useCases.deleteTask.execute('t-1', CALLER))).toEqual({
      kind: 'task-not-found',
      taskId: 't-1',
    });
  });

  it('succeeds while the cache is unavailable, and holds when it is back', async () => {
    await fixture.task('t-1');
    await fixture.text('t-1', 'k', 'x');
    fixture.redis.fails = 'unavailable';
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    expect(await refusalOf(fixture.useCases.getTask.execute('t-1', CALLER))).toMatchObject({ kind: 'task-not-found' });
  });
});
