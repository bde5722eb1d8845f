import { nextMillisecond } from '../support/poll';
import type { Service } from '../support/service';
import { SETUPS, type Setup } from '../support/setups';
import { ISO_TIME, TASK_ID, type WireAttachmentPage } from '../support/wire-values';

interface WireTask {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly attachmentCount: number;
}

interface WireTaskPage {
  readonly tasks: readonly WireTask[];
  readonly totalCount: number;
  readonly hasMore: boolean;
}

const STATUSES = ['pending', 'in_progress', 'completed', 'failed', 'cancelled'];
const FINISHED = ['completed', 'failed', 'cancelled'];
const MISSING = {
  code: -32602,
  message: 'Task missing not found',
  data: { code: 'TASK_NOT_FOUND', taskId: 'missing' },
};

describe.each(SETUPS)('tasks, $name', ({ open }) => {
  let setup: Setup;
  let service: Service;
  let created = 0;

  beforeAll(async () => {
    setup = await open();
    ({ service } = setup);
  });
  afterAll(() => setup?.close());

  /** Creates a task that no other test uses; returns its id. */
  const createTask = async (params: object = {}) => {
    const { id } = await service.result<WireTask>('task.create', { text: 'a task', ...params });
    return id;
  };
  const freshId = () => `task-${++created}`;
  const get = (id: string) => service.result<WireTask>('task.get', { id });
  const attach = (taskId: string, key: string) =>
    service.result('task.create_attachment', { taskId, key, type: 'text', content: 'x' });
  const fieldsRefused = async (method: string, params: object) => {
    const { code, message, data } = await service.error(method, params);
    expect([code, message]).toEqual([-32602, 'Invalid params']);
    return (data?.['errors'] as { field: string }[]).map(({ field }) => field).sort();
  };

  describe('task.create', () => {
    it('accepts a text alone', async () => {
      expect(await service.result('task.create', { text: 'x' })).toStrictEqual({
        id: TASK_ID,
        text: 'x',
        status: 'pending',
        priority: 50,
        metadata: {},
        parentId: null,
        createdAt: ISO_TIME,
      });
    });

    it('accepts all params together', async () => {
      const parentId = await createTask();
      const given = { id: freshId(), text: '🦊'.repeat(500), priority: 0, metadata: { b: [null], a: 0 }, parentId };
      expect(await service.result('task.create', given)).toStrictEqual({
        ...given,
        status: 'pending',
        createdAt: ISO_TIME,
      });
    });

    it.each(['3b241101-e2bb-4255-8caf-4136c566a962', '~', '..', 'A.b_c~d-9', 'x'.repeat(128)])(
      'accepts the id %s',
      async (id) => {
        expect(await createTask({ id })).toBe(id);
        expect((await get(id)).id).toBe(id);
      },
    );

    it.each(['', 'a b', 'a/b', 'a:b', 'é', '{a}', 'x'.repeat(129), 7])('refuses the id %j', async (id) => {
      expect(await fieldsRefused('task.create', { id, text: 'x' })).toEqual(['id']);
    });

    it('names every invalid field at once', async () => {
      const wrong = { text: '', priority: 101, metadata: [], parentId: 'a b', colour: 'red' };
      expect(await fieldsRefused('task.create', wrong)).toEqual(['colour', 'metadata', 'parentId', 'priority', 'text']);
      expect(await fieldsRefused('task.create', { text: 'x'.repeat(501), priority: 0.5 })).toEqual([
        'priority',
        'text',
      ]);
    });

    it('refuses a parent that does not exist', async () => {
      expect(await service.error('task.create', { text: 'x', parentId: 'missing' })).toEqual(MISSING);
    });

    it('refuses an id that was used before, even after the deletion of its task', async () => {
      const id = await createTask({ id: freshId() });
      const conflict = {
        code: -32005,
        message: 'Conflict',
        data: { code: 'TASK_EXISTS', taskId: id, reason: expect.stringContaining('not used again') as unknown },
      };
      expect(await service.error('task.create', { id, text: 'again' })).toEqual(conflict);
      await service.result('task.delete', { id });
      expect(await service.error('task.create', { id, text: 'again' })).toEqual(conflict);
    });

    it('returns a repetition as the first time', async () => {
      const id = freshId();
      const params = { id, text: 'x', priority: 7, metadata: { b: 1, data: { k: [1] } } };
      const first = await service.result<object>('task.create', params);
      await service.result('task.update', { id, updates: { text: 'y', status: 'in_progress', metadata: { b: null } } });
      expect(await service.result('task.create', params)).toEqual({ ...first, replayed: true });
      expect(first).not.toHaveProperty('replayed');
      expect(await get(id)).toMatchObject({ text: 'y', status: 'in_progress', metadata: {}, attachmentCount: 1 });
      const conflict = { code: -32005, message: 'Conflict', data: { code: 'TASK_EXISTS', taskId: id } };
      expect(await service.error('task.create', { ...params, priority: 8 })).toMatchObject(conflict);
    });

    it('creates one task if the same call is made several times at once', async () => {
      const params = { id: freshId(), text: 'x' };
      const replies = await Promise.all(Array.from({ length: 8 }, () => service.result('task.create', params)));
      const replayed = replies.filter((reply) => 'replayed' in (reply as object));
      expect(replayed).toHaveLength(7);
      expect(new Set(replies.map((reply) => reply['createdAt'])).size).toBe(1);
    });

    it('turns metadata.data into attachments, with a warning', async () => {
      const metadata = { kept: true, data: { analysis: { z: 1, a: 2 }, zero: 0, none: null } };
      const task = await service.result<{ id: string }>('task.create', { text: 'x', metadata });
      expect(task).toMatchObject({ metadata: { kept: true }, warnings: [expect.stringContaining('metadata.data')] });
      const { attachments } = await service.result<WireAttachmentPage>('task.list_attachments', { taskId: task.id });
      expect(attachments.map(({ key, type, value }) => [key, type, value])).toEqual([
        ['analysis', 'json', { z: 1, a: 2 }],
        ['none', 'json', null],
        ['zero', 'json', 0],
      ]);
      expect(await get(task.id)).toMatchObject({ metadata: { kept: true }, attachmentCount: 3 });
    });

    it('creates no task if metadata.data cannot be attached', async () => {
      const id = freshId();
      const data = { 'bad\nkey': 1, fine: 2 };
      expect(await fieldsRefused('task.create', { id, text: 'x', metadata: { data } })).toEqual([
        'metadata.data.bad\nkey',
      ]);
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`k${i}`, i]));
      expect(await service.error('task.create', { id, text: 'x', metadata: { data: many } })).toMatchObject({
        code: -32602,
        data: {
          errors: [{ field: 'metadata.data', message: expect.stringContaining('task.create_attachment') as string }],
        },
      });
      expect((await service.error('task.get', { id })).message).toBe(`Task ${id} not found`);
    });
  });

  it('every method of a task takes taskId as well as id', async () => {
    const taskId = await createTask();
    expect(await service.result('task.get', { taskId })).toEqual(await get(taskId));
    expect(await service.result('task.update', { taskId, updates: { text: 'y' } })).toMatchObject({ text: 'y' });
    expect(await service.result('task.cancel', { taskId })).toMatchObject({ status: 'cancelled' });
    expect(await service.result('task.delete', { taskId })).toMatchObject({ deleted: true });
    for (const method of ['task.get', 'task.cancel', 'task.complete', 'task.delete']) {
      expect(await fieldsRefused(method, { id: 'a', taskId: 'b' })).toEqual(['taskId']);
    }
  });

  describe('task.get', () => {
    it('returns the whole task', async () => {
      const parentId = await createTask();
      const id = await createTask({ priority: 7, metadata: { a: 1 }, parentId });
      await attach(id, 'one');
      const task = await get(id);
      expect(task).toStrictEqual({
        id,
        organization: 'default',
        text: 'a task',
        status: 'pending',
        priority: 7,
        metadata: { a: 1 },
        parentId,
        createdAt: ISO_TIME,
        createdBy: 'instance-1',
        updatedAt: task.createdAt,
        attachmentCount: 1,
      });
    });

    it('counts the live attachments', async () => {
      const id = await createTask();
      await Promise.all(['a', 'b', 'c'].map((key) => attach(id, key)));
      await attach(id, 'c');
      await service.result('task.delete_attachment', { taskId: id, key: 'b' });
      expect((await get(id)).attachmentCount).toBe(2);
    });

    it('fails for a missing task', async () => {
      expect(await service.error('task.get', { id: 'missing' })).toEqual(MISSING);
    });
  });

  describe('task.update', () => {
    it('changes the given members and nothing else', async () => {
      const id = await createTask({ priority: 7, metadata: { a: 1, b: { c: 2 } } });
      const before = await get(id);
      await nextMillisecond();
      const headers = { 'x-instance-id': 'editor' };
      const updated = await service.result<WireTask>('task.update', { id, updates: { text: 'new' } }, headers);
      expect(updated).toStrictEqual({
        id,
        text: 'new',
        status: 'pending',
        priority: 7,
        metadata: { a: 1, b: { c: 2 } },
        createdAt: before.createdAt,
        updatedAt: ISO_TIME,
      });
      expect(updated.updatedAt > before.updatedAt).toBe(true);
      expect(await get(id)).toMatchObject({ text: 'new', createdBy: 'instance-1', updatedBy: 'editor' });
    });

    it('merges metadata member by member', async () => {
      const id = await createTask({ metadata: { a: 1, b: { c: 2 }, d: 3 } });
      const updates = { metadata: { b: { e: 4 }, d: null, f: 5 } };
      const merged = { a: 1, b: { e: 4 }, f: 5 };
      expect(await service.result('task.update', { id, updates })).toMatchObject({ metadata: merged });
      expect(await get(id)).toMatchObject({ metadata: merged });
    });

    it('keeps metadata character for character', async () => {
      const id = await createTask();
      const send = (method: string, params: string) =>
        service.post(`{"jsonrpc":"2.0","method":"${method}","params":${params},"id":1}`);
      await send('task.update', `{"id":"${id}","updates":{"metadata":{"10":1.0,"9":-0,"x":{"2":1e2,"1":"\\u00e9"}}}}`);
      await send('task.update', `{"id":"${id}","updates":{"metadata":{"9":0.10}}}`);
      const { text } = await send('task.get', `{"id":"${id}"}`);
      expect(text).toContain('"metadata":{"10":1.0,"9":0.10,"x":{"2":1e2,"1":"\\u00e9"}}');
    });

    it('applies all of several concurrent changes', async () => {
      const id = await createTask();
      const names = Array.from({ length: 8 }, (_, i) => `m${i}`);
      await Promise.all(
        names.map((name) => service.result('task.update', { id, updates: { metadata: { [name]: 1 } } })),
      );
      expect(await get(id)).toMatchObject({ metadata: Object.fromEntries(names.map((name) => [name, 1])) });
    });

    it.each(STATUSES.flatMap((from) => STATUSES.map((to) => [from, to])))(
      'changes the status from %s to %s unless the task is finished',
      async (from, to) => {
        const id = await createTask();
        if (from !== 'pending') await service.result('task.update', { id, updates: { status: from } });
        const reply = await service.rpc('task.update', { id, updates: { status: to } });
        const isLegal = from === to || !FINISHED.includes(from);
        const [by, at] = from === 'cancelled' ? ['cancelledBy', 'cancelledAt'] : ['completedBy', 'completedAt'];
        const finished = { code: 'TASK_FINISHED', taskId: id, status: from, [by]: 'instance-1', [at]: ISO_TIME };
        const refusal = { code: -32602, message: `Task ${id} is already ${from}`, data: finished };
        expect(reply.error).toEqual(isLegal ? undefined : refusal);
        expect(await get(id)).toMatchObject({ status: isLegal ? to : from });
      },
    );

    it.each([
      [{}, ['updates']],
      [{ status: 'done' }, ['updates.status']],
      [{ priority: -1, text: '' }, ['updates.priority', 'updates.text']],
      [{ metadata: null }, ['updates']],
      [{ parentId: 'x' }, ['updates.parentId']],
      ['text', ['updates']],
    ])('refuses the updates %j', async (updates, fields) => {
      const id = await createTask();
      expect(await fieldsRefused('task.update', { id, updates })).toEqual(fields);
    });

    it('fails for a missing task', async () => {
      expect(await service.error('task.update', { id: 'missing', updates: { text: 'x' } })).toEqual(MISSING);
    });
  });

  describe('task.complete', () => {
    it('stores the result as an attachment', async () => {
      const id = await createTask();
      expect(await service.result('task.complete', { id, workerId: 'w-1', result: { ok: [1] } })).toStrictEqual({
        id,
        status: 'completed',
        completedAt: ISO_TIME,
      });
      expect(await service.result('task.get_attachment', { taskId: id, key: 'result' })).toMatchObject({
        type: 'json',
        value: { ok: [1] },
      });
      expect(await get(id)).toMatchObject({
        status: 'completed',
        completedBy: 'w-1',
        assignedTo: 'w-1',
        attachmentCount: 1,
      });
    });

    it.each([0, false, ''])('accepts %p as a result', async (result) => {
      const id = await createTask();
      await service.result('task.complete', { taskId: id, result });
      expect(await service.result('task.get_attachment', { taskId: id, key: 'result' })).toMatchObject({
        value: result,
      });
    });

    it('replaces an attachment that has the key of the result', async () => {
      const id = await createTask();
      const before = await service.result<{ id: string }>('task.create_attachment', {
        taskId: id,
        key: 'result',
        type: 'markdown',
        content: 'old',
      });
      await service.result('task.complete', { id, result: 'new' });
      const after = await service.result('task.get_attachment', { taskId: id, key: 'result' });
      expect(after).toMatchObject({ id: before.id, type: 'json', value: 'new' });
      expect(after).not.toHaveProperty('content');
    });

    it('marks the task as failed if it is given an error', async () => {
      const id = await createTask();
      expect(await service.result('task.complete', { id, error: { reason: 'x' } })).toMatchObject({ status: 'failed' });
      expect(await get(id)).toMatchObject({
        status: 'failed',
        error: { reason: 'x' },
        completedBy: 'instance-1',
        attachmentCount: 0,
      });
    });

    it('creates no attachment without a result', async () => {
      const id = await createTask();
      await service.result('task.complete', { id, result: null, error: null });
      expect(await get(id)).toMatchObject({ status: 'completed', attachmentCount: 0 });
    });

    it('leaves a finished task as it is, and stores no result', async () => {
      const id = await createTask();
      await service.result('task.cancel', { id });
      expect((await service.error('task.complete', { id, result: 1 })).data).toMatchObject({ code: 'TASK_FINISHED' });
      expect(await get(id)).toMatchObject({ status: 'cancelled', attachmentCount: 0 });
    });

    it('returns a repetition as the first time, and refuses any other completion', async () => {
      const id = await createTask();
      const params = { id, workerId: 'w-1', result: { ok: [1] } };
      const first = await service.result<{ completedAt: string }>('task.complete', params);
      const { version } = await service.result<{ version: number }>('task.get_attachment', {
        taskId: id,
        key: 'result',
      });
      await nextMillisecond();
      expect(await service.result('task.complete', params)).toEqual(first);
      expect(await service.result('task.get_attachment', { taskId: id, key: 'result' })).toMatchObject({ version });
      const { completedAt } = first;
      for (const other of [{ workerId: 'w-2' }, { result: { ok: [2] } }, { error: 'x' }]) {
        expect(await service.error('task.complete', { ...params, ...other })).toEqual({
          code: -32602,
          message: `Task ${id} is already completed`,
          data: { code: 'TASK_FINISHED', taskId: id, status: 'completed', completedBy: 'w-1', completedAt },
        });
      }
    });

    it('completes nothing if the result cannot be stored', async () => {
      const id = await createTask();
      const { text } = await service.post(
        `{"jsonrpc":"2.0","method":"task.complete","params":{"id":"${id}","result":${'['.repeat(65)}${']'.repeat(65)}},"id":1}`,
      );
      expect(text).toContain('"field":"result"');
      expect(await get(id)).toMatchObject({ status: 'pending', attachmentCount: 0 });
    });

    it('needs exactly one id', async () => {
      expect(await fieldsRefused('task.complete', {})).toEqual(['id']);
      expect(await fieldsRefused('task.complete', { id: 'a', taskId: 'b' })).toEqual(['taskId']);
      expect(await service.error('task.complete', { id: 'missing' })).toEqual(MISSING);
    });
  });

  describe('task.cancel', () => {
    it.each(['pending', 'in_progress'])('cancels a task that is %s', async (status) => {
      const id = await createTask();
      await service.result('task.update', { id, updates: { status } });
      const cancelled = await service.result<object>('task.cancel', { id }, { 'x-instance-id': 'boss' });
      expect(cancelled).toStrictEqual({ id, status: 'cancelled', cancelledAt: ISO_TIME });
      expect(await get(id)).toMatchObject({ ...cancelled, cancelledBy: 'boss' });
    });

    it.each(FINISHED)('returns a task that is %s unchanged', async (status) => {
      const id = await createTask();
      await service.result('task.update', { id, updates: { status } });
      const before = await get(id);
      expect(await service.result('task.cancel', { id }, { 'x-instance-id': 'boss' })).toMatchObject({ id, status });
      expect(await get(id)).toEqual(before);
    });

    it('fails for a missing task', async () => {
      expect(await service.error('task.cancel', { id: 'missing' })).toEqual(MISSING);
    });
  });

  describe('task.list', () => {
    let parentId: string;
    let ids: string[];
    const list = (params: object = {}) => service.result<WireTaskPage>('task.list', { parentId, ...params });
    const namesOf = ({ tasks }: WireTaskPage) => tasks.map(({ id }) => 'abcdef'[ids.indexOf(id)]).join('');

    beforeAll(async () => {
      parentId = await createTask();
      ids = [];
      for (const priority of [5, 1, 5, 3, 9, 5]) {
        await nextMillisecond();
        ids.push(await createTask({ parentId, priority }));
      }
      const [a, b, c, d] = ids as [string, string, string, string];
      await service.result('task.update', { id: b, updates: { status: 'in_progress' } });
      await nextMillisecond();
      await service.result('task.update', { id: a, updates: { status: 'in_progress' } });
      await nextMillisecond();
      await service.result('task.complete', { id: d, workerId: 'w-1', result: 1 });
      await nextMillisecond();
      await service.result('task.complete', { id: c, workerId: 'w-2', error: 'x' });
    });

    it('returns whole tasks by creation time, with their counts', async () => {
      const page = await list();
      expect([namesOf(page), page.totalCount, page.hasMore]).toEqual(['abcdef', 6, false]);
      expect(page.tasks).toEqual(await Promise.all(ids.map(get)));
      expect(page.tasks[3]).toMatchObject({ attachmentCount: 1 });
    });

    it.each([
      [{ status: 'in_progress' }, 'ab'],
      [{ status: 'failed' }, 'c'],
      [{ status: 'cancelled' }, ''],
      [{ priority: 5 }, 'acf'],
      [{ priority: 0 }, ''],
      [{ assignedTo: 'w-1' }, 'd'],
      [{ priority: 5, status: 'pending' }, 'f'],
      [{ order: 'desc' }, 'fedcba'],
      [{ orderBy: 'createdAt', order: 'asc' }, 'abcdef'],
      [{ orderBy: 'updatedAt' }, 'efbadc'],
      [{ orderBy: 'updatedAt', order: 'desc' }, 'cdabfe'],
    ])('returns the selected tasks in order for %j', async (params, names) => {
      const page = await list(params);
      expect([namesOf(page), page.totalCount, page.hasMore]).toEqual([names, names.length, false]);
    });

    it('returns tasks in any of several statuses', async () => {
      expect(namesOf(await list({ status: ['failed', 'completed'] }))).toBe('cd');
    });

    it('returns tasks without a parent if the parent is null', async () => {
      const params = { parentId: null, limit: 1000, order: 'desc' };
      const { tasks } = await service.result<WireTaskPage>('task.list', params);
      const roots = tasks.map(({ id }) => id);
      expect(roots).toContain(parentId);
      expect(roots.filter((id) => ids.includes(id))).toEqual([]);
    });

    it.each(['asc', 'desc'])('keeps tasks of equal priority in one order on all pages: %s', async (order) => {
      const whole = namesOf(await list({ orderBy: 'priority', order }));
      const rank = (name: string) => [5, 1, 5, 3, 9, 5]['abcdef'.indexOf(name)];
      const priorities = [1, 3, 5, 5, 5, 9];
      expect([...whole].map(rank)).toEqual(order === 'asc' ? priorities : priorities.reverse());
      let paged = '';
      for (let offset = 0; offset < 6; offset += 2) {
        const page = await list({ orderBy: 'priority', order, limit: 2, offset });
        expect([page.totalCount, page.hasMore]).toEqual([6, offset < 4]);
        paged += namesOf(page);
      }
      expect(paged).toBe(whole);
    });

    it('returns an empty page past the end', async () => {
      expect(await list({ offset: 6 })).toEqual({ tasks: [], totalCount: 6, hasMore: false });
    });

    it.each([
      [{ limit: 0 }, ['limit']],
      [{ limit: 1001, offset: -1 }, ['limit', 'offset']],
      [{ orderBy: 'text', order: 'up' }, ['order', 'orderBy']],
      [{ status: 'done', priority: 1.5 }, ['priority', 'status']],
      [{ limit: '5' }, ['limit']],
    ])('refuses %j', async (params, fields) => {
      expect(await fieldsRefused('task.list', params)).toEqual(fields);
    });
  });

  describe('task.delete', () => {
    it('deletes the sub-tasks at any depth, with all attachments', async () => {
      const root = await createTask();
      const child = await createTask({ parentId: root });
      const grandchild = await createTask({ parentId: child });
      const bystander = await createTask();
      const tree = [root, child, grandchild];
      for (const id of [...tree, bystander]) {
        await attach(id, 'warm');
        await service.result('task.get_attachment', { taskId: id, key: 'warm' });
        await service.result('task.list_attachments', { taskId: id });
      }
      await service.result('task.update', { id: child, updates: { status: 'in_progress' } });

      expect(await service.result('task.delete', { id: root })).toStrictEqual({
        id: root,
        deleted: true,
        deletedAt: ISO_TIME,
      });
      for (const id of tree) {
        const message = `Task ${id} not found`;
        for (const [method, params] of [
          ['task.get', { id }],
          ['task.update', { id, updates: { text: 'x' } }],
          ['task.complete', { id }],
          ['task.cancel', { id }],
          ['task.delete', { id }],
          ['task.create', { text: 'x', parentId: id }],
          ['task.get_attachment', { taskId: id, key: 'warm' }],
          ['task.list_attachments', { taskId: id }],
          ['task.delete_attachment', { taskId: id, key: 'warm' }],
          ['task.create_attachment', { taskId: id, key: 'warm', type: 'text', content: 'x' }],
        ] as const) {
          expect([method, await service.error(method, params)]).toMatchObject([method, { code: -32602, message }]);
        }
        const requests = [
          { taskId: id, key: 'warm' },
          { taskId: bystander, key: 'warm' },
        ];
        expect(await service.result('task.get_attachments_batch', { requests, allowMissing: true })).toMatchObject({
          attachments: [null, { taskId: bystander }],
        });
      }
      expect((await get(bystander)).attachmentCount).toBe(1);
    });

    it('leaves the parent of a sub-task as it is', async () => {
      const parent = await createTask();
      const child = await createTask({ parentId: parent });
      await service.result('task.delete', { id: child });
      expect((await get(parent)).id).toBe(parent);
      expect(await service.result('task.list', { parentId: parent })).toEqual({
        tasks: [],
        totalCount: 0,
        hasMore: false,
      });
    });

    it('fails for a missing task', async () => {
      expect(await service.error('task.delete', { id: 'missing' })).toEqual(MISSING);
    });

    it('leaves no attachment that was written during the deletion', async () => {
      const id = await createTask();
      const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
      const writes = keys.map((key) =>
        service.rpc('task.create_attachment', { taskId: id, key, type: 'text', content: 'x' }),
      );
      const deletion = service.result('task.delete', { id });
      await Promise.all([...writes, deletion]);
      const requests = keys.map((key) => ({ taskId: id, key }));
      const { attachments } = await service.result<{ attachments: unknown[] }>('task.get_attachments_batch', {
        requests,
        allowMissing: true,
      });
      expect(attachments).toEqual(keys.map(() => null));
      expect((await service.error('task.list_attachments', { taskId: id })).message).toBe(`Task ${id} not found`);
    });
  });
});
