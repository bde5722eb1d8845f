import { randomUUID } from 'node:crypto';
import { taskCancelled, taskCompleted, taskCreated, taskUpdated } from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import { cancelTask, completeTask, updateTask, type Task, type TaskDraft } from '../../src/core/domain/task';
import { aTask, describeDeletion, ORGANIZATION, TIMEOUT_MS, type StoreHarness } from './attachment-store.harness';

/** Before everything that other tests of the same database do. */
const THEN_MS = Date.UTC(1990, 0, 1);

export function describeDueTaskStore(harnessOf: () => StoreHarness): void {
  describe('DueTaskStore', () => {
    let harness: StoreHarness;
    let last = THEN_MS;
    /** No test finds the tasks of an earlier one before this time. */
    let startMs: number;
    beforeEach(async () => {
      harness = harnessOf();
      startMs = last += 3_600_000;
      const left = await harness.dueTasks.finished(startMs, undefined, 1000);
      for (const { taskId } of [...left, ...(await harness.dueTasks.expired(startMs, 1000))]) await remove(taskId);
    });

    const store = async (draft: Partial<TaskDraft> = {}, atMs = startMs, organization = ORGANIZATION) => {
      const task = aTask(draft, organization, atMs);
      await harness.tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS);
      return task;
    };
    const finish = async (task: Task, atMs: number, how: 'completed' | 'failed' | 'cancelled' = 'completed') => {
      const change = { by: 'ada', nowMs: atMs };
      const error = how === 'failed' ? JsonText.of('late') : undefined;
      const finished = how === 'cancelled' ? cancelTask(task, change) : completeTask(task, { error }, change);
      const event =
        how === 'cancelled' ? taskCancelled(task.id, 'ada', atMs, randomUUID()) : taskCompleted(finished, randomUUID());
      await harness.tasks.update(finished, event, undefined, TIMEOUT_MS);
      return finished;
    };
    const remove = async (taskId: string, finishedBeforeMs?: number) => {
      for (const organization of [ORGANIZATION, 'other', 'greedy', 'modest', 'a-third', 'b-patient']) {
        const tree = { taskId, caller: { organization, name: 'retention' }, finishedBeforeMs };
        const step = await harness.tasks.deleteTree(tree, describeDeletion, 200, TIMEOUT_MS);
        if (step) return step.deletions.map((deletion) => deletion.taskId);
      }
      return undefined;
    };

    it('finds the tasks of all organisations whose time to live has passed, those first that expired first', async () => {
      const later = await store({ ttlSeconds: 20 });
      const earlier = await store({ ttlSeconds: 10 }, startMs, 'other');
      await store();
      const expired = (afterSeconds: number, limit = 10) =>
        harness.dueTasks.expired(startMs + afterSeconds * 1000, limit);
      expect(await expired(9.999)).toEqual([]);
      expect(await expired(10)).toEqual([{ taskId: earlier.id, organization: 'other' }]);
      expect((await expired(20)).map(({ taskId }) => taskId)).toEqual([earlier.id, later.id]);
      expect(await expired(20, 1)).toEqual([{ taskId: earlier.id, organization: 'other' }]);
      await finish(later, startMs + 1);
      await remove(earlier.id);
      expect(await expired(20)).toEqual([{ taskId: later.id, organization: ORGANIZATION }]);
    });

    it('lets organisations take turns among expired tasks, however many of one wait, each with what expired first', async () => {
      const many = [];
      for (let i = 0; i < 5; i++) many.push((await store({ ttlSeconds: 10 + i }, startMs, 'greedy')).id);
      const few = [
        (await store({ ttlSeconds: 20 }, startMs, 'modest')).id,
        (await store({ ttlSeconds: 21 }, startMs, 'modest')).id,
      ];
      const other = await store({ ttlSeconds: 22 }, startMs, 'a-third');
      await store({ ttlSeconds: 90 }, startMs, 'b-patient');
      const turns = [many[0], few[0], other.id, many[1], few[1], many[2], many[3], many[4]];
      for (let limit = 1; limit < turns.length; limit++) {
        const expired = await harness.dueTasks.expired(startMs + 30_000, limit);
        expect(expired.map(({ taskId }) => taskId)).toEqual(turns.slice(0, limit));
      }
      expect(await harness.dueTasks.expired(startMs + 30_000, 9)).toHaveLength(turns.length);
      // Of more organisations than may be returned, those whose first task expired first.
      expect((await harness.dueTasks.expired(startMs + 30_000, 2)).map(({ organization }) => organization)).toEqual([
        'greedy',
        'modest',
      ]);
    });

    it('finds finished tasks in the order in which they were finished, page by page', async () => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => `${name}-${randomUUID()}`) as [string, string, string];
      const failed = await finish(await store({ id: c }), startMs + 3, 'failed');
      await finish(await store({ id: b }, startMs, 'other'), startMs + 2, 'cancelled');
      await finish(await store({ id: a }), startMs + 2);
      await store();
      // Another change does not make it younger.
      const changed = updateTask(failed, { text: 'y' }, { by: 'ada', nowMs: startMs + 9 });
      await harness.tasks.update(changed, taskUpdated(changed, [], randomUUID()), undefined, TIMEOUT_MS);

      const finished = (beforeMs: number, after?: Parameters<typeof harness.dueTasks.finished>[1], limit = 10) =>
        harness.dueTasks.finished(startMs + beforeMs, after, limit);
      const all = [
        { taskId: a, organization: ORGANIZATION, finishedAtMs: startMs + 2 },
        { taskId: b, organization: 'other', finishedAtMs: startMs + 2 },
        { taskId: c, organization: ORGANIZATION, finishedAtMs: startMs + 3 },
      ];
      expect(await finished(4)).toEqual(all);
      expect(await finished(3)).toEqual(all.slice(0, 2));
      expect(await finished(2)).toEqual([]);
      expect(await finished(4, undefined, 1)).toEqual(all.slice(0, 1));
      expect(await finished(4, all[0], 1)).toEqual(all.slice(1, 2));
      expect(await finished(4, all[1])).toEqual(all.slice(2));
      await remove(a);
      expect(await finished(4)).toEqual(all.slice(1));
    });

    it('a tree is deleted only if all of it was finished before the time, to any depth', async () => {
      const beforeMs = startMs + 100;
      const root = await store();
      const child = await store({ parentId: root.id });
      const deep = await store({ parentId: child.id });
      await finish(root, startMs + 1);
      await finish(child, startMs + 2);
      expect(await remove(root.id, beforeMs)).toBeUndefined();
      await finish(deep, beforeMs);
      expect(await remove(root.id, beforeMs)).toBeUndefined();
      expect(await remove(root.id, beforeMs + 1)).toEqual([root.id, child.id, deep.id]);
      expect(await harness.tasks.get(deep.id, ORGANIZATION, beforeMs, TIMEOUT_MS)).toBeUndefined();
    });

    it('a sub-task that was finished is deleted although the task above it goes on', async () => {
      const root = await store();
      const child = await store({ parentId: root.id });
      await finish(child, startMs + 1);
      expect(await remove(root.id, startMs + 100)).toBeUndefined();
      expect(await remove(child.id, startMs + 100)).toEqual([child.id]);
      expect((await harness.tasks.get(root.id, ORGANIZATION, startMs, TIMEOUT_MS))?.task).toEqual(root);
    });

    it('gives the turn to one of many at a time', async () => {
      expect(await harness.dueTasks.takeTurn(0)).toBe(true);
      const taken = await Promise.all(Array.from({ length: 8 }, () => harness.dueTasks.takeTurn(30_000)));
      expect(taken.filter((isTaken) => isTaken)).toHaveLength(1);
      expect(await harness.dueTasks.takeTurn(0)).toBe(false);
    });
  });
}
