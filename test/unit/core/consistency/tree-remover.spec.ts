import { newReplicaState } from '../../../../src/app/replica-state';
import type { AcknowledgedChanges } from '../../../../src/core/consistency/acknowledged-changes';
import { TreeRemover } from '../../../../src/core/consistency/tree-remover';
import type { AttachmentCache } from '../../../../src/core/ports/attachment-cache';
import type { TaskStore } from '../../../../src/core/ports/task-store';
import { CALLER, JournalingFixture, Outage } from '../../../support/fixture';

const TREE = { taskId: 't-1', caller: CALLER };
const STEP_SIZE = 1;

describe('a tree of whose deletion another replica takes a step', () => {
  let fixture: JournalingFixture;
  const read = () => fixture.useCases.getAttachment.execute({ taskId: 't-2', key: 'k' }, CALLER);
  const isMissing = { refusal: { kind: 'task-not-found', taskId: 't-2' } };

  const remover = (tasks: TaskStore, cache: AttachmentCache, acknowledged: AcknowledgedChanges) => {
    const { outbox, clock, ids, settings } = fixture.ports;
    return new TreeRemover(tasks, cache, outbox, clock, ids, settings, acknowledged, STEP_SIZE);
  };

  /** The other replica takes every second step, and has no Redis. */
  const removeWithAnother = async () => {
    const { tasks, cache } = fixture.ports;
    const redis = new Outage('redis');
    redis.fails = 'unavailable';
    const another = remover(tasks, redis.breakable(cache), newReplicaState(fixture.ports).acknowledged);
    const shared = Object.create(tasks) as TaskStore;
    shared.deleteTree = async (...step) => {
      const taken = await tasks.deleteTree(...step);
      if (taken?.more) await another.step(TREE, 1000);
      return taken;
    };
    return remover(shared, cache, fixture.state.acknowledged).remove(TREE, () => 1000);
  };

  beforeEach(async () => {
    fixture = new JournalingFixture();
    await fixture.task('t-1');
    for (const id of ['t-2', 't-3']) await fixture.task(id, { parentId: 't-1' });
    await fixture.text('t-2', 'k', 'x');
    await fixture.useCases.projectChanges.execute();
    fixture.forgetCalls();
    await read();
    expect(fixture.postgres.calls).toEqual([]);
  });

  it.each([2, 3])('is gone for the one who deletes it, though Redis still has a part, with %i tasks', async (size) => {
    if (size === 2)
      await remover(fixture.ports.tasks, fixture.cache, fixture.state.acknowledged).remove(
        { ...TREE, taskId: 't-3' },
        () => 1000,
      );
    expect(await removeWithAnother()).toBe(true);
    const [cached] = await fixture.cache.read([{ taskId: 't-2', key: 'k' }], CALLER.organization);
    expect(cached).toMatchObject({ deleted: false, attachment: { content: 'x' } });
    await expect(read()).rejects.toMatchObject(isMissing);
    await expect(fixture.list('t-2')).rejects.toMatchObject(isMissing);
    fixture.postgres.fails = 'unavailable';
    await expect(read()).rejects.toThrow('postgres unavailable');
    expect((await fixture.list('t-2')).attachments).toEqual([]);
  });

  it('costs no reads once the projection has brought Redis behind it', async () => {
    await fixture.task('t-4');
    await fixture.text('t-4', 'k', 'x');
    await removeWithAnother();
    await fixture.useCases.projectChanges.execute();
    fixture.forgetCalls();
    await fixture.useCases.getAttachment.execute({ taskId: 't-4', key: 'k' }, CALLER);
    expect(fixture.postgres.calls).toEqual([]);
  });
});

describe('a tree that one step deletes', () => {
  it('costs one call of PostgreSQL, and leaves Redis believed', async () => {
    const fixture = new JournalingFixture();
    await fixture.task('t-1');
    await fixture.task('t-4');
    await fixture.text('t-4', 'k', 'x');
    await fixture.useCases.projectChanges.execute();
    fixture.forgetCalls();
    await fixture.useCases.deleteTask.execute('t-1', CALLER);
    await fixture.useCases.getAttachment.execute({ taskId: 't-4', key: 'k' }, CALLER);
    expect(fixture.postgres.calls).toEqual(['deleteTree']);
  });
});
