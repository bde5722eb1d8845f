import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import {
  cancelTask,
  completeTask,
  createTask,
  hasOutcome,
  TASK_STATUSES,
  updateTask,
  type Task,
  type TaskStatus,
} from '../../../../src/core/domain/task';
import { splitRetiredData } from '../../../../src/core/domain/retired-data';

const created = createTask({ text: 'Optimise the query' }, 'default', 'x8k2n9qp3', { by: 'instance-1', nowMs: 1000 });
const later = { by: 'instance-2', nowMs: 2000 };
const inStatus = (status: TaskStatus): Task => ({ ...created, status });
const finished = ['completed', 'failed', 'cancelled'] as const;
const open = ['pending', 'in_progress'] as const;

const refusedFields = (act: () => unknown): string[] => {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError && error.refusal.kind === 'invalid') {
      return error.refusal.errors.map(({ field }) => field);
    }
    throw error;
  }
  return [];
};

const refusalOf = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error.refusal;
    throw error;
  }
  return 'was not refused';
};

describe('a new task', () => {
  it('is pending, of priority 50, without metadata or parent', () => {
    expect(created).toEqual({
      id: 't-1000-x8k2n9qp3',
      organization: 'default',
      text: 'Optimise the query',
      status: 'pending',
      priority: 50,
      metadata: JsonText.EMPTY_OBJECT,
      parentId: null,
      createdAtMs: 1000,
      createdBy: 'instance-1',
      updatedAtMs: 1000,
      revision: 1,
    });
  });

  it.each([
    [{ text: '' }, 'text'],
    [{ text: 'x'.repeat(501) }, 'text'],
    [{ text: 'a\0' }, 'text'],
    [{ text: 'x', priority: -1 }, 'priority'],
    [{ text: 'x', priority: 101 }, 'priority'],
    [{ text: 'x', priority: 1.5 }, 'priority'],
    [{ text: 'x', metadata: JsonText.of({ a: 'x'.repeat(65_536) }) }, 'metadata'],
    [{ text: 'x', metadata: JsonText.of([]) }, 'metadata'],
    [{ text: 'x', metadata: JsonText.fromValid('{"a":'.repeat(65) + '1' + '}'.repeat(65)) }, 'metadata'],
  ])('%j is refused for its %s', (draft, field) => {
    expect(refusedFields(() => createTask(draft, 'default', 's', later))).toEqual([field]);
  });

  it('may use every limit in full', () => {
    const draft = {
      id: 'own-id',
      text: '😀'.repeat(500),
      priority: 0,
      metadata: JsonText.of({ a: 0 }),
      parentId: 't-0',
    };
    expect(createTask(draft, 'acme', 's', later)).toMatchObject({ ...draft, organization: 'acme' });
  });
});

describe('a change', () => {
  it('makes a new task of the next revision', () => {
    const updated = updateTask(created, { text: 'new', priority: 1 }, later);
    expect(updated).toEqual({
      ...created,
      text: 'new',
      priority: 1,
      updatedAtMs: 2000,
      updatedBy: 'instance-2',
      revision: 2,
    });
    expect(created.text).toBe('Optimise the query');
  });

  it('merges metadata', () => {
    const task = { ...created, metadata: JsonText.fromValid('{"a":1,"b":{"c":1}}') };
    expect(updateTask(task, { metadata: JsonText.fromValid('{"b":2}') }, later).metadata.text).toBe('{"a":1,"b":2}');
  });

  it('removes a member of the metadata that it sets to null', () => {
    const task = { ...created, metadata: JsonText.fromValid('{"a":1,"b":null,"c":3}') };
    const merged = (updates: string) =>
      updateTask(task, { metadata: JsonText.fromValid(updates) }, later).metadata.text;
    expect(merged('{"a":null,"d":{"e":null},"f":null}')).toBe('{"b":null,"c":3,"d":{"e":null}}');
  });

  it('never lets metadata or an error grow past its limit', () => {
    const half = (name: string) => JsonText.of({ [name]: 'x'.repeat(32_760) });
    const task = updateTask({ ...created, metadata: half('a') }, { metadata: half('b') }, later);
    expect(task.metadata.sizeBytes).toBe(65_535);
    const more = { metadata: JsonText.of({ c: 0 }) };
    expect(refusedFields(() => updateTask(task, more, later))).toEqual(['updates.metadata']);
    const nulls = Array.from({ length: 10_000 }, (_, i) => `"m${i}":null`).join(',');
    const removal = { metadata: JsonText.fromValid(`{${nulls}}`) };
    expect(refusedFields(() => updateTask(created, removal, later))).toEqual(['updates.metadata']);
    const error = JsonText.of('x'.repeat(65_535));
    expect(refusedFields(() => completeTask(created, { error }, later))).toEqual(['error']);
  });

  it('names wrong fields by their path', () => {
    expect(refusedFields(() => updateTask(created, { text: '', priority: 101 }, later))).toEqual([
      'updates.text',
      'updates.priority',
    ]);
  });

  it.each(open.flatMap((from) => TASK_STATUSES.map((to) => [from, to] as const)))(
    'may lead from %s to %s',
    (from, to) => expect(updateTask(inStatus(from), { status: to }, later).status).toBe(to),
  );

  it.each(finished.flatMap((from) => TASK_STATUSES.filter((to) => to !== from).map((to) => [from, to] as const)))(
    'never leads from %s to %s',
    (from, to) =>
      expect(refusalOf(() => updateTask(inStatus(from), { status: to }, later))).toMatchObject({
        kind: 'task-finished',
        taskId: created.id,
        status: from,
      }),
  );

  it('may alter what is not the status of a finished task', () => {
    expect(updateTask(inStatus('failed'), { priority: 1, status: 'failed' }, later)).toMatchObject({
      status: 'failed',
      priority: 1,
    });
  });
});

describe('completing', () => {
  it('names the worker, and assigns the task to it', () => {
    expect(completeTask(created, { workerId: 'worker-7' }, later)).toMatchObject({
      status: 'completed',
      completedAtMs: 2000,
      completedBy: 'worker-7',
      assignedTo: 'worker-7',
      updatedBy: 'instance-2',
    });
    expect(completeTask(created, {}, later).completedBy).toBe('instance-2');
  });

  it('with an error fails the task', () => {
    const error = JsonText.of('out of memory');
    expect(completeTask(created, { error }, later)).toMatchObject({ status: 'failed', error, completedAtMs: 2000 });
  });

  it.each(finished)('is refused when the task is %s, and says by whom and when it was finished', (status) => {
    const end = { finishedBy: 'ada', finishedAtMs: 1500 };
    const members =
      status === 'cancelled'
        ? { cancelledBy: 'ada', cancelledAtMs: 1500 }
        : { completedBy: 'ada', completedAtMs: 1500 };
    expect(refusalOf(() => completeTask({ ...inStatus(status), ...members }, {}, later))).toEqual({
      kind: 'task-finished',
      taskId: created.id,
      status,
      ...end,
    });
  });

  it('has the same outcome if the worker and the error are the same', () => {
    const error = JsonText.of({ code: 1 });
    const byWorker = completeTask(created, { workerId: 'worker-7', error }, later);
    expect(hasOutcome(byWorker, { workerId: 'worker-7', error: JsonText.of({ code: 1 }) }, 'another')).toBe(true);
    expect(hasOutcome(byWorker, { error }, 'worker-7')).toBe(true);
    expect(hasOutcome(byWorker, { workerId: 'worker-8', error }, 'worker-7')).toBe(false);
    expect(hasOutcome(byWorker, { workerId: 'worker-7', error: JsonText.of({ code: 2 }) }, 'another')).toBe(false);
    expect(hasOutcome(byWorker, { workerId: 'worker-7' }, 'another')).toBe(false);
    const byCaller = completeTask(created, {}, later);
    expect(hasOutcome(byCaller, {}, 'instance-2')).toBe(true);
    expect(hasOutcome(byCaller, {}, 'instance-3')).toBe(false);
    expect(hasOutcome(cancelTask(created, later), {}, 'instance-2')).toBe(false);
    expect(hasOutcome(created, {}, 'instance-1')).toBe(false);
  });
});

describe('cancelling', () => {
  it.each(open)('ends a task that is %s', (status) =>
    expect(cancelTask(inStatus(status), later)).toMatchObject({
      status: 'cancelled',
      cancelledAtMs: 2000,
      cancelledBy: 'instance-2',
    }),
  );

  it.each(finished)('leaves a task that is %s as it is', (status) => {
    const task = inStatus(status);
    expect(cancelTask(task, later)).toBe(task);
  });
});

describe('the retired metadata.data', () => {
  it('is taken out of the metadata, with its members in their order', () => {
    const { metadata, data } = splitRetiredData(JsonText.fromValid('{"a":1,"data":{"2":[1.0],"1":null},"b":2}'));
    expect(metadata.text).toBe('{"a":1,"b":2}');
    expect([...(data ?? [])].map(([key, value]) => [key, value.text])).toEqual([
      ['2', '[1.0]'],
      ['1', 'null'],
    ]);
  });

  it('must be an object', () => {
    expect(refusedFields(() => splitRetiredData(JsonText.of({ data: [1] })))).toEqual(['metadata.data']);
  });
});
