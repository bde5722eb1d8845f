import { composeUseCases } from '../../../../src/app/use-cases';
import { CoreSettings } from '../../../../src/core/ports/core-settings';
import { MemoryTaskStore } from '../../../../src/outbound/memory/memory-task-store';
import { CALLER, Fixture, FOREIGN_CALLER, RETENTION_MS } from '../../../support/fixture';

let fixture: Fixture;
beforeEach(() => (fixture = new Fixture()));

const isThere = (taskId: string) => fixture.database.task(taskId) !== undefined;
const complete = (taskId: string, caller = CALLER) => fixture.useCases.completeTask.execute({ taskId }, caller);
/** One turn, after the last one is over. */
const turn = () => {
  fixture.clock.advance(1000);
  return fixture.useCases.deleteDueTasks.execute();
};
const eventsOfDeletion = () =>
  fixture.database.events
    .filter(({ metadata, payload }) => (payload['deletedBy'] ?? metadata['cancelledBy']) === 'retention')
    .map(({ type, payload }) => `${type} ${String(payload['id'])}`);

describe('a task with a time to live', () => {
  it('is deleted when it has passed, with all that belongs to it, as by a call', async () => {
    await fixture.task('t-1', { ttlSeconds: 60 });
    await fixture.task('t-2', { parentId: 't-1' });
    await fixture.task('t-3', { ttlSeconds: 600 }, FOREIGN_CALLER);
    await fixture.text('t-2', 'k', 'x');
    await fixture.useCases.updateTask.execute({ taskId: 't-1', updates: { status: 'in_progress' } }, CALLER);
    fixture.clock.advance(50_000);
    await turn();
    expect(isThere('t-1')).toBe(true);

    fixture.clock.advance(10_000);
    await turn();
    expect(['t-1', 't-2', 't-3'].map(isThere)).toEqual([false, false, true]);
    expect(eventsOfDeletion()).toEqual(['task.cancelled t-1', 'task.deleted t-1', 'task.deleted t-2']);
    for (const taskId of ['t-1', 't-2']) {
      const missing = { refusal: { kind: 'task-not-found', taskId } };
      await expect(fixture.useCases.getAttachment.execute({ taskId, key: 'k' }, CALLER)).rejects.toMatchObject(missing);
    }
    const again = fixture.useCases.createTask.execute({ id: 't-1', text: 'task t-1', ttlSeconds: 60 }, CALLER);
    await expect(again).rejects.toMatchObject({ refusal: { kind: 'task-exists' } });
  });
});

describe('a large tree', () => {
  it('is begun by the job, and goes on like any other deletion, on behalf of the retention', async () => {
    await fixture.task('t-1', { ttlSeconds: 1 });
    for (let i = 0; i < 250; i++) await fixture.task(`sub-${i}`, { parentId: 't-1' });
    await turn();
    expect(fixture.database.liveTasks().length).toBe(51);
    fixture.clock.advance(6000);
    await fixture.useCases.continueDeletions.execute();
    expect(fixture.database.liveTasks()).toEqual([]);
    expect(eventsOfDeletion()).toHaveLength(251);
  });
});

describe('a task that was finished', () => {
  it('is deleted when it is as old as the retention, and not before', async () => {
    for (const id of ['t-1', 't-2', 't-3']) await fixture.task(id);
    await complete('t-1');
    await fixture.useCases.cancelTask.execute('t-2', CALLER);
    fixture.clock.advance(RETENTION_MS - 1000);
    await turn();
    expect(['t-1', 't-2', 't-3'].map(isThere)).toEqual([true, true, true]);
    await turn();
    expect(['t-1', 't-2', 't-3'].map(isThere)).toEqual([false, false, true]);
    expect(eventsOfDeletion()).toEqual(['task.deleted t-1', 'task.deleted t-2']);
  });

  it('stays for ever unless the operator has set a time', async () => {
    const settings = new CoreSettings('instance-1', 1000, 1000);
    const { deleteDueTasks } = composeUseCases({ ...fixture.ports, settings });
    await fixture.task('t-1');
    await complete('t-1');
    fixture.clock.advance(100 * RETENTION_MS);
    await deleteDueTasks.execute();
    expect(isThere('t-1')).toBe(true);
  });

  it('stays as long as a task below it goes on, and delays none of the others', async () => {
    for (let i = 0; i < 120; i++) {
      await fixture.task(`parent-${i}`);
      await complete(`parent-${i}`);
      await fixture.task(`child-${i}`, { parentId: `parent-${i}` });
    }
    await fixture.task('alone');
    await complete('alone');
    fixture.clock.advance(RETENTION_MS);
    for (let i = 0; i < 3; i++) await turn();
    expect(eventsOfDeletion()).toEqual(['task.deleted alone']);

    await complete('child-0');
    fixture.clock.advance(RETENTION_MS);
    for (let i = 0; i < 3; i++) await turn();
    expect(['parent-0', 'child-0', 'parent-1', 'child-1'].map(isThere)).toEqual([false, false, true, true]);
  });

  it('goes in turns, at a rate that further replicas do not raise', async () => {
    const other = composeUseCases(fixture.ports).deleteDueTasks;
    for (let i = 0; i < 120; i++) {
      await fixture.task(`t-${i}`);
      await complete(`t-${i}`);
    }
    fixture.clock.advance(RETENTION_MS);
    const left = () => fixture.database.liveTasks().length;
    await turn();
    await other.execute();
    expect(left()).toBe(70);
    fixture.clock.advance(1000);
    await other.execute();
    await fixture.useCases.deleteDueTasks.execute();
    expect(left()).toBe(20);
    await turn();
    expect(left()).toBe(0);
  });

  it('is counted before, and a round of turns ends when all that was due has been looked at', async () => {
    const { countDue } = fixture.useCases;
    await fixture.task('expired', { ttlSeconds: 60 });
    await fixture.text('expired', 'k', 'x');
    for (let i = 0; i < 60; i++) {
      await fixture.task(`t-${i}`);
      await complete(`t-${i}`);
    }
    await fixture.text('t-1', 'k', 'x', { ttlSeconds: 60 });
    await fixture.task('child', { parentId: 't-0' });
    expect(await countDue.execute(100)).toEqual({ expiredAttachments: 0, expiredTasks: 1, finishedTasks: 0 });

    fixture.clock.advance(RETENTION_MS);
    expect(await countDue.execute(100)).toEqual({ expiredAttachments: 1, expiredTasks: 1, finishedTasks: 60 });
    expect((await countDue.execute(10)).finishedTasks).toBe(10);
    const turns: boolean[] = [];
    while (!turns.at(-1)) {
      turns.push((await turn()).done);
      // The turn is over in 0.8 seconds.
      if (!turns.at(-1)) expect((await fixture.useCases.deleteDueTasks.execute()).done).toBe(false);
    }
    expect(turns).toEqual([false, true]);
    expect(await countDue.execute(100)).toEqual({ expiredAttachments: 0, expiredTasks: 0, finishedTasks: 1 });
    expect(isThere('t-0')).toBe(true);

    const settings = new CoreSettings('instance-1', 1000, 1000);
    const forEver = composeUseCases({ ...fixture.ports, settings });
    expect(await forEver.countDue.execute(100)).toMatchObject({ finishedTasks: 0 });
    expect(await forEver.deleteDueTasks.execute()).toEqual({ more: false, done: true });
  });

  it('that cannot be deleted now delays none of the others, and the job reports it', async () => {
    const tasks = new MemoryTaskStore(fixture.database);
    const deleteTree = tasks.deleteTree.bind(tasks);
    tasks.deleteTree = (tree, ...rest) =>
      tree.taskId === 't-1' ? Promise.reject(new Error('locked')) : deleteTree(tree, ...rest);
    const { deleteDueTasks } = composeUseCases({ ...fixture.ports, tasks });
    for (const id of ['t-1', 't-2']) {
      await fixture.task(id);
      await complete(id);
    }
    fixture.clock.advance(RETENTION_MS + 1);
    await expect(deleteDueTasks.execute()).rejects.toThrow('locked');
    expect(['t-1', 't-2'].map(isThere)).toEqual([true, false]);
  });
});
