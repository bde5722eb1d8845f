import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { AttachmentDraft } from '../../src/core/domain/attachment';
import { ofStored, taskCompleted, taskCreated, taskUpdated } from '../../src/core/domain/domain-event';
import { JsonText } from '../../src/core/domain/json-text';
import { MAX_ATTACHMENTS_PER_TASK, MAX_TTL_SECONDS } from '../../src/core/domain/limits';
import {
  cancelTask,
  completeTask,
  updateTask,
  type Task,
  type TaskDraft,
  type TaskUpdates,
} from '../../src/core/domain/task';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import type { TaskListQuery } from '../../src/core/ports/task-store';
import type { DoomedTask } from '../../src/core/ports/tree-deletion';
import { describeDueTaskStore } from './due-task-store.contract';
import {
  aDeletion,
  aPut,
  aTask,
  deleteTree,
  describeDeletion,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type StoreHarness,
} from './attachment-store.harness';

const CHANGE = { by: 'bob', nowMs: NOW_MS + 1001 };

export function describeTaskStore(name: string, open: () => Promise<StoreHarness>): void {
  describe(`TaskStore ${name}`, () => {
    let harness: StoreHarness;
    beforeAll(async () => {
      harness = await open();
    });
    afterAll(() => harness?.close());

    const get = (taskId: string, organization = ORGANIZATION) =>
      harness.tasks.get(taskId, organization, NOW_MS, TIMEOUT_MS);
    const insert = (task: Task) => harness.tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS);
    const remove = (taskId: string, organization = ORGANIZATION) => deleteTree(harness, taskId, { organization });
    const update = (task: Task, updates: TaskUpdates = { text: 'changed' }) => {
      const updated = updateTask(task, updates, CHANGE);
      return harness.tasks.update(updated, taskUpdated(updated, [], randomUUID()), undefined, TIMEOUT_MS);
    };

    describeDueTaskStore(() => harness);

    describe('insert', () => {
      it.each([
        '{}',
        '{"2":1,"1":2,"b":{"z":1.0,"y":-0},"a":[]}',
        String.raw`{"\u0000":"\ud800","a":1,"a":2,"é":"\u00e9"}`,
        `{"snowflake":1234567890123456789,"huge":1e400,"tiny":1e-400,"digits":${'9'.repeat(400)}}`,
      ])('keeps the metadata %s and every other member', async (metadata) => {
        const parent = await storedTask(harness);
        const draft = {
          text: '𝒳 "quoted" \\',
          priority: 0,
          metadata: JsonText.fromValid(metadata),
          parentId: parent.id,
          ttlSeconds: MAX_TTL_SECONDS,
        };
        const task = await storedTask(harness, draft);
        expect(await get(task.id)).toEqual({ task, attachmentCount: 0 });
      });

      it('stores the first attachments together with the task', async () => {
        const task = aTask();
        const puts = [
          aPut({
            taskId: task.id,
            key: 'z',
            type: 'json',
            value: JsonText.fromValid(String.raw`{"b":"\u0000","a":[1.0,1e400,9007199254740993]}`),
          }),
          aPut({ taskId: task.id, key: 'a', type: 'json', value: JsonText.fromValid('null') }),
          aPut({ taskId: task.id, key: '😀', type: 'text', content: '\\"\n', ttlSeconds: 1 }),
          aPut({ taskId: task.id, key: 'b', type: 'binary', mimeType: 'image/png', size: 2 ** 52 }),
        ];
        const event = taskCreated(task, randomUUID());
        await expect(harness.tasks.insert(task, puts, event, TIMEOUT_MS)).resolves.toBe('inserted');
        for (const { attachment } of puts) expect(await found(harness, task.id, attachment.key)).toEqual(attachment);
        expect((await get(task.id))?.attachmentCount).toBe(4);
        expect(await harness.eventsOf(task.id)).toEqual([event, ...puts.map((put) => put.event)]);
      });

      it('refuses an id that is taken in any organisation, and changes nothing', async () => {
        const task = await storedTask(harness, {}, 'other');
        const again = aTask({ id: task.id, text: 'another' });
        const outcome = harness.tasks.insert(
          again,
          [aPut({ taskId: task.id })],
          taskCreated(again, randomUUID()),
          TIMEOUT_MS,
        );
        await expect(outcome).resolves.toBe('id-taken');
        expect(await get(task.id)).toBeUndefined();
        expect(await get(task.id, 'other')).toEqual({ task, attachmentCount: 0 });
        expect(await harness.eventsOf(task.id)).toHaveLength(1);
      });

      it('refuses the id of a deleted task', async () => {
        const task = await storedTask(harness);
        await remove(task.id);
        await expect(insert(task)).resolves.toBe('id-taken');
        expect(await get(task.id)).toBeUndefined();
      });

      it('admits one of many simultaneous inserts of an id', async () => {
        const task = aTask();
        const outcomes = await Promise.all(Array.from({ length: 8 }, () => insert(task)));
        expect(outcomes.sort()).toEqual([...new Array<string>(7).fill('id-taken'), 'inserted']);
        expect(await harness.eventsOf(task.id)).toHaveLength(1);
      });

      it.each(['missing', 'foreign', 'deleted'])('refuses a parent that is %s', async (how) => {
        const parent =
          how === 'missing' ? aTask() : await storedTask(harness, {}, how === 'foreign' ? 'other' : undefined);
        if (how === 'deleted') await remove(parent.id);
        const task = aTask({ parentId: parent.id });
        const outcome = harness.tasks.insert(
          task,
          [aPut({ taskId: task.id })],
          taskCreated(task, randomUUID()),
          TIMEOUT_MS,
        );
        await expect(outcome).resolves.toBe('parent-missing');
        expect(await get(task.id)).toBeUndefined();
        expect(await harness.eventsOf(task.id)).toEqual([]);
        await expect(insert({ ...task, parentId: null })).resolves.toBe('inserted');
      });
    });

    describe('repeated', () => {
      const parts = async () => {
        const parent = await storedTask(harness);
        const metadata = JsonText.fromValid(String.raw`{"2":1.0,"1":"\u0000"}`);
        const task = aTask({ parentId: parent.id, metadata, priority: 7 });
        return { task, puts: ['a', 'b'].map((key) => aPut({ taskId: task.id, key })) };
      };
      const repeated = (task: Task, puts: readonly AttachmentPut[] = []) =>
        harness.tasks.repeated(task, puts, TIMEOUT_MS);

      it('returns when the task was created, whatever has changed since', async () => {
        const { task, puts } = await parts();
        await harness.tasks.insert(task, puts, taskCreated(task, randomUUID()), TIMEOUT_MS);
        await update(task, { text: 'changed', priority: 1, metadata: JsonText.of({ b: 1 }), status: 'in_progress' });
        await harness.attachments.delete(aDeletion(task.id, 'a', 1002), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        const again = { ...task, createdAtMs: NOW_MS + 5, createdBy: 'eve', updatedAtMs: NOW_MS + 5 };
        const putsAgain = puts.map(({ attachment }) =>
          aPut({ taskId: task.id, key: attachment.key, value: attachment.value, type: 'json' }, { version: 2000 }),
        );
        expect(await repeated(again, putsAgain)).toEqual({ createdAtMs: NOW_MS });
      });

      it('is undefined if anything that was given differs', async () => {
        const { task, puts } = await parts();
        await harness.tasks.insert(task, puts, taskCreated(task, randomUUID()), TIMEOUT_MS);
        const [first, second] = puts as [AttachmentPut, AttachmentPut];
        const reordered = JsonText.fromValid(String.raw`{"1":"\u0000","2":1.0}`);
        expect(await repeated({ ...task, text: 'Write' }, puts)).toBeUndefined();
        expect(await repeated({ ...task, priority: 8 }, puts)).toBeUndefined();
        expect(await repeated({ ...task, metadata: reordered }, puts)).toBeUndefined();
        expect(await repeated({ ...task, parentId: null }, puts)).toBeUndefined();
        expect(await repeated(task, [])).toBeUndefined();
        expect(await repeated(task, [first])).toBeUndefined();
        expect(await repeated(task, [second, first])).toBeUndefined();
        const other = aPut({ taskId: task.id, key: 'b', type: 'json', value: JsonText.of('other') });
        expect(await repeated(task, [first, other])).toBeUndefined();
      });

      it('returns when the task expires, and tells one time to live from another', async () => {
        const task = await storedTask(harness, { ttlSeconds: 7 });
        const later = (ttlSeconds?: number) =>
          aTask({ id: task.id, text: task.text, ttlSeconds }, ORGANIZATION, NOW_MS + 5);
        expect(await repeated(later(7))).toEqual({ createdAtMs: NOW_MS, expiresAtMs: NOW_MS + 7000 });
        expect(await repeated(later(8))).toBeUndefined();
        expect(await repeated(later())).toBeUndefined();
        const kept = await storedTask(harness);
        expect(await repeated({ ...later(7), id: kept.id })).toBeUndefined();
        expect(await repeated({ ...later(), id: kept.id })).toEqual({ createdAtMs: NOW_MS });
      });

      it('is undefined if the task is missing, deleted or of another organisation', async () => {
        const task = await storedTask(harness);
        expect(await repeated(task)).toEqual({ createdAtMs: NOW_MS });
        expect(await repeated({ ...task, organization: 'other' })).toBeUndefined();
        expect(await repeated(aTask())).toBeUndefined();
        await remove(task.id);
        expect(await repeated(task)).toBeUndefined();
      });
    });

    it('get finds no task of another organisation', async () => {
      const task = await storedTask(harness);
      expect(await get(task.id, 'other')).toBeUndefined();
      expect(await get(randomUUID())).toBeUndefined();
    });

    describe('update', () => {
      it('replaces every member that can change', async () => {
        const task = await storedTask(harness);
        const metadata = JsonText.fromValid('{"b":1,"a":2}');
        const updated = updateTask(task, { text: 'new', priority: 7, status: 'in_progress', metadata }, CHANGE);
        const event = taskUpdated(updated, ['text'], randomUUID());
        await expect(harness.tasks.update(updated, event, undefined, TIMEOUT_MS)).resolves.toEqual({
          state: 'updated',
        });
        expect((await get(task.id))?.task).toEqual(updated);

        const failed = completeTask(
          updated,
          { workerId: 'w', error: JsonText.fromValid('{"z":[1e400,9007199254740993],"y":"\\u0000"}') },
          CHANGE,
        );
        await harness.tasks.update(failed, taskCompleted(failed, randomUUID()), undefined, TIMEOUT_MS);
        expect((await get(task.id))?.task).toEqual(failed);
        expect((await harness.eventsOf(task.id))[1]).toEqual(event);
      });

      it('stores a cancellation', async () => {
        const task = await storedTask(harness);
        const cancelled = cancelTask(task, CHANGE);
        await harness.tasks.update(cancelled, taskUpdated(cancelled, [], randomUUID()), undefined, TIMEOUT_MS);
        expect((await get(task.id))?.task).toEqual(cancelled);
      });

      it('is stale unless it follows the stored revision', async () => {
        const task = await storedTask(harness);
        await update(task);
        await expect(update(task, { text: 'too late' })).resolves.toEqual({ state: 'stale' });
        await expect(update({ ...task, revision: 7 })).resolves.toEqual({ state: 'stale' });
        expect((await get(task.id))?.task.text).toBe('changed');
        expect(await harness.eventsOf(task.id)).toHaveLength(2);
      });

      it('is stale if the task is missing, foreign or deleted', async () => {
        const foreign = await storedTask(harness, {}, 'other');
        const deleted = await storedTask(harness);
        await remove(deleted.id);
        for (const task of [aTask(), { ...foreign, organization: ORGANIZATION }, deleted]) {
          await expect(update(task)).resolves.toEqual({ state: 'stale' });
        }
        expect((await get(foreign.id, 'other'))?.task).toEqual(foreign);
      });

      it('admits one of many simultaneous changes', async () => {
        const task = await storedTask(harness);
        const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => update(task, { priority: i })));
        expect(outcomes.filter(({ state }) => state === 'updated')).toHaveLength(1);
        expect((await get(task.id))?.task.revision).toBe(2);
        expect(await harness.eventsOf(task.id)).toHaveLength(2);
      });

      it('keeps the count of attachments', async () => {
        const task = await storedTask(harness);
        await harness.attachments.put(aPut({ taskId: task.id }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        await update(task);
        expect((await get(task.id))?.attachmentCount).toBe(1);
      });
    });

    describe('update with an attachment', () => {
      const complete = (task: Task, version: number) => {
        const completed = completeTask(task, {}, CHANGE);
        const value = JsonText.fromValid(String.raw`{"2":"\u0000","1":[1.0,1e400,9007199254740993]}`);
        const put = aPut({ taskId: task.id, key: 'result', type: 'json', value }, { version, nowMs: CHANGE.nowMs });
        const event = taskCompleted(completed, randomUUID());
        return { completed, put, event, outcome: harness.tasks.update(completed, event, put, TIMEOUT_MS) };
      };

      it('stores both, and announces the attachment first', async () => {
        const task = await storedTask(harness);
        const { completed, put, event, outcome } = complete(task, 1000);
        const { id, createdAtMs, createdBy } = put.attachment;
        await expect(outcome).resolves.toEqual({
          state: 'updated',
          attachment: { state: 'applied', replaced: false, identity: { id, createdAtMs, createdBy } },
        });
        expect(await get(task.id)).toEqual({ task: completed, attachmentCount: 1 });
        expect(await found(harness, task.id, 'result', CHANGE.nowMs)).toEqual(put.attachment);
        expect((await harness.eventsOf(task.id)).slice(1)).toEqual([put.event, event]);
      });

      it('replaces a live attachment as a put does', async () => {
        const task = await storedTask(harness);
        const first = aPut({ taskId: task.id, key: 'result' });
        await harness.attachments.put(first, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        const { put, outcome } = complete(task, 1002);
        const { id, createdAtMs, createdBy } = first.attachment;
        await expect(outcome).resolves.toMatchObject({
          attachment: { replaced: true, identity: { id, createdAtMs, createdBy } },
        });
        expect((await harness.eventsOf(task.id))[2]).toEqual(ofStored(put.event, id));
        expect((await get(task.id))?.attachmentCount).toBe(1);
      });

      it('changes nothing if the attachment is refused', async () => {
        const task = await storedTask(harness);
        await harness.attachments.put(
          aPut({ taskId: task.id, key: 'result' }),
          ORGANIZATION,
          undefined,
          NOW_MS,
          TIMEOUT_MS,
        );
        await expect(complete(task, 1000).outcome).resolves.toEqual({ state: 'superseded', version: 1000 });
        expect(await get(task.id)).toEqual({ task, attachmentCount: 1 });
        expect(await harness.eventsOf(task.id)).toHaveLength(2);
      });

      it('changes nothing if the task is full', async () => {
        const task = aTask();
        const puts = Array.from({ length: MAX_ATTACHMENTS_PER_TASK }, (_, i) =>
          aPut({ taskId: task.id, key: `k${i}` }),
        );
        await harness.tasks.insert(task, puts, taskCreated(task, randomUUID()), TIMEOUT_MS);
        await expect(complete(task, 1000).outcome).resolves.toEqual({ state: 'task-full' });
        expect((await get(task.id))?.task).toEqual(task);
        expect(await harness.eventsOf(task.id)).toHaveLength(1 + MAX_ATTACHMENTS_PER_TASK);
      });

      it('remembers the value, whatever becomes of the attachment and of the task', async () => {
        const task = await storedTask(harness);
        const hasResult = (text?: string, organization = ORGANIZATION) => {
          const result = text === undefined ? undefined : JsonText.fromValid(text);
          return harness.tasks.hasResult(task.id, organization, result, TIMEOUT_MS);
        };
        expect(await hasResult()).toBe(true);
        expect(await hasResult('null')).toBe(false);

        const { completed, put, outcome } = complete(task, 1000);
        await outcome;
        const value = put.attachment.value?.text;
        const deletion = aDeletion(task.id, 'result', 1002);
        await harness.attachments.delete(deletion, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        await update(completed);
        expect(await hasResult(value)).toBe(true);
        expect(await hasResult()).toBe(false);
        expect(await hasResult('1')).toBe(false);
        expect(await hasResult(value, 'other')).toBe(false);
        await remove(task.id);
        expect(await hasResult(value)).toBe(false);
        expect(await hasResult()).toBe(false);
      });

      it('stores no attachment if the change is stale', async () => {
        const task = await storedTask(harness);
        await update(task);
        await expect(complete(task, 1000).outcome).resolves.toEqual({ state: 'stale' });
        expect(await found(harness, task.id, 'result')).toBeUndefined();
        expect(await get(task.id)).toMatchObject({ attachmentCount: 0 });
        expect(await harness.eventsOf(task.id)).toHaveLength(2);
      });
    });

    describe('usage', () => {
      const usage = (organization: string) => harness.tasks.usage(organization, NOW_MS, TIMEOUT_MS);
      const put = async (taskId: string, organization: string, draft: Partial<AttachmentDraft>) => {
        const one = aPut({ taskId, ...draft });
        await expect(harness.attachments.put(one, organization, undefined, NOW_MS, TIMEOUT_MS)).resolves.toMatchObject({
          state: 'applied',
        });
      };

      it('counts what the organisation has stored, and nothing that was deleted or has expired', async () => {
        const organization = randomUUID();
        expect(await usage(organization)).toEqual({ tasks: 0, attachments: 0, bytes: 0 });
        const [first, second] = [
          await storedTask(harness, {}, organization),
          await storedTask(harness, {}, organization),
        ];
        await put(first.id, organization, { key: 'a', type: 'text', content: 'äöü' });
        await put(first.id, organization, { key: 'b', type: 'json', value: JsonText.fromValid('[1.0]') });
        await put(first.id, organization, { key: 'c', type: 'url', url: 'https://example.org' });
        await put(second.id, organization, { key: 'd', type: 'text', content: 'x'.repeat(100) });
        await put(second.id, organization, { key: 'e', type: 'text', content: 'x', ttlSeconds: 1 });
        expect(await usage(organization)).toEqual({ tasks: 2, attachments: 5, bytes: 6 + 5 + 100 + 1 });
        const later = harness.tasks.usage(organization, NOW_MS + 1000, TIMEOUT_MS);
        await expect(later).resolves.toEqual({ tasks: 2, attachments: 4, bytes: 6 + 5 + 100 });
        const deletion = aDeletion(first.id, 'a', 1002);
        await harness.attachments.delete(deletion, organization, undefined, NOW_MS, TIMEOUT_MS);
        await remove(second.id, organization);
        expect(await usage(organization)).toEqual({ tasks: 1, attachments: 2, bytes: 5 });
        expect(await usage(randomUUID())).toEqual({ tasks: 0, attachments: 0, bytes: 0 });
      });
    });

    describe('organizationOf', () => {
      it('returns the organisation of a task until the task is deleted', async () => {
        const task = await storedTask(harness, {}, 'other');
        expect(await harness.tasks.organizationOf(task.id, TIMEOUT_MS)).toBe('other');
        await remove(task.id, 'other');
        expect(await harness.tasks.organizationOf(task.id, TIMEOUT_MS)).toBeUndefined();
        expect(await harness.tasks.organizationOf(aTask().id, TIMEOUT_MS)).toBeUndefined();
      });
    });

    describe('list', () => {
      it('returns the same pages as a sorted array', async () => {
        const created = fc.record({
          priority: fc.integer({ min: 1, max: 3 }),
          createdAtMs: fc.integer({ min: NOW_MS, max: NOW_MS + 2 }),
          updatedAtMs: fc.integer({ min: NOW_MS, max: NOW_MS + 2 }),
          status: fc.constantFrom('pending' as const, 'in_progress' as const),
          assignedTo: fc.constantFrom(undefined, 'w1', 'w2'),
        });
        const query = fc.record({
          statuses: fc.constantFrom(undefined, ['pending' as const], ['pending' as const, 'in_progress' as const], []),
          assignedTo: fc.constantFrom(undefined, 'w1'),
          priority: fc.constantFrom(undefined, 2),
          limit: fc.integer({ min: 1, max: 5 }),
          offset: fc.integer({ min: 0, max: 4 }),
          orderBy: fc.constantFrom('createdAt' as const, 'updatedAt' as const, 'priority' as const),
          descending: fc.boolean(),
        });
        await fc.assert(
          fc.asyncProperty(
            fc.array(created, { maxLength: 8 }),
            fc.array(query, { maxLength: 5 }),
            async (drafts, queries) => {
              const organization = randomUUID();
              const tasks = drafts.map((draft) => ({ ...aTask({}, organization), ...draft }));
              for (const task of tasks) await insert(task);
              for (const one of queries) {
                const page = await harness.tasks.list({ ...one, organization, nowMs: NOW_MS }, TIMEOUT_MS);
                expect(page).toEqual(pageOf(tasks, one));
              }
            },
          ),
          { numRuns: 25 },
        );
      });

      it('counts what the filters leave, whatever has become of the tasks', async () => {
        const organization = randomUUID();
        const kept = new Map<string, Task>();
        const store = async (draft: Partial<TaskDraft>) => {
          const task = await storedTask(harness, draft, organization);
          kept.set(task.id, task);
          return task;
        };
        const root = await store({ priority: 1 });
        const [child, other] = [await store({ parentId: root.id, priority: 1 }), await store({ priority: 2 })];
        const below = await store({ parentId: child.id });
        const working = { ...updateTask(child, { status: 'in_progress', priority: 2 }, CHANGE), assignedTo: 'w' };
        await harness.tasks.update(working, taskUpdated(working, [], randomUUID()), undefined, TIMEOUT_MS);
        kept.set(working.id, working);
        const done = completeTask(other, { workerId: 'w' }, CHANGE);
        await harness.tasks.update(done, taskCompleted(done, randomUUID()), undefined, TIMEOUT_MS);
        kept.set(done.id, done);
        await expect(insert({ ...other, priority: 7 })).resolves.toBe('id-taken');
        await expect(update(other)).resolves.toEqual({ state: 'stale' });
        const put = aPut({ taskId: root.id });
        await harness.attachments.put(put, organization, undefined, NOW_MS, TIMEOUT_MS);

        const expectCounts = async () => {
          for (const statuses of [undefined, [], ['pending'], ['in_progress', 'completed']] as const)
            for (const priority of [undefined, 1, 2])
              for (const assignedTo of [undefined, 'w'])
                for (const parentId of [undefined, null, root.id]) {
                  const filters = {
                    statuses,
                    priority,
                    assignedTo,
                    limit: 2,
                    orderBy: 'createdAt',
                    descending: false,
                  } as const;
                  for (const offset of [0, 9]) {
                    const query = { ...filters, offset, parentId, organization, nowMs: NOW_MS };
                    const { totalCount } = await harness.tasks.list(query, TIMEOUT_MS);
                    const among = [...kept.values()].filter(
                      (one) => parentId === undefined || one.parentId === parentId,
                    );
                    expect({ query, totalCount }).toEqual({
                      query,
                      totalCount: pageOf(among, { ...filters, offset }).totalCount,
                    });
                  }
                }
        };
        await expectCounts();
        await remove(child.id, organization);
        for (const id of [child.id, below.id]) kept.delete(id);
        await expectCounts();
        await remove(root.id, organization);
        await remove(done.id, organization);
        kept.clear();
        await expectCounts();
      });

      it('returns tasks without a parent', async () => {
        const organization = randomUUID();
        const root = await storedTask(harness, {}, organization);
        await storedTask(harness, { parentId: root.id }, organization);
        const page = { limit: 10, offset: 0, orderBy: 'createdAt', descending: false, nowMs: NOW_MS } as const;
        const roots = await harness.tasks.list({ organization, parentId: null, ...page }, TIMEOUT_MS);
        expect(roots).toEqual({ tasks: [{ task: root, attachmentCount: 0 }], totalCount: 1 });
      });

      it('returns sub-tasks, and counts the attachments that have not expired', async () => {
        const parent = await storedTask(harness);
        const child = await storedTask(harness, { parentId: parent.id });
        const put = (key: string, ttlSeconds?: number) =>
          harness.attachments.put(
            aPut({ taskId: child.id, key, ttlSeconds }),
            ORGANIZATION,
            undefined,
            NOW_MS,
            TIMEOUT_MS,
          );
        await put('stays');
        await put('goes', 1);
        const page = { limit: 10, offset: 0, orderBy: 'createdAt', descending: false } as const;
        const list = (nowMs: number) =>
          harness.tasks.list({ organization: ORGANIZATION, parentId: parent.id, ...page, nowMs }, TIMEOUT_MS);
        expect(await list(NOW_MS)).toEqual({ tasks: [{ task: child, attachmentCount: 2 }], totalCount: 1 });
        expect(await list(NOW_MS + 1000)).toEqual({ tasks: [{ task: child, attachmentCount: 1 }], totalCount: 1 });
        await remove(child.id);
        expect(await list(NOW_MS)).toEqual({ tasks: [], totalCount: 0 });
      });
    });

    describe('inIdOrder', () => {
      it('returns the live tasks of all organisations, by the bytes of their ids', async () => {
        const prefix = randomUUID();
        const [lower, upper, gone] = [`${prefix}-a`, `${prefix}-B`, `${prefix}-b`];
        const tasks = [
          await storedTask(harness, { id: upper, metadata: JsonText.of({ data: { a: 1 } }) }),
          await storedTask(harness, { id: lower }, 'other'),
        ];
        await storedTask(harness, { id: gone });
        await remove(gone);

        expect(await harness.tasks.inIdOrder(prefix, 1)).toEqual([tasks[0]]);
        expect((await harness.tasks.inIdOrder(upper, 2))[0]).toEqual(tasks[1]);
        const all = (await harness.tasks.inIdOrder(undefined, 100_000)).map(({ id }) => id);
        expect(all).toEqual(all.toSorted());
        expect(all.filter((id) => id.startsWith(prefix))).toEqual([upper, lower]);
      });
    });

    describe('deleteTree', () => {
      it('deletes a task with all its descendants, parents first, and nothing else', async () => {
        const root = await storedTask(harness);
        const parentId = root.id;
        const children = [await storedTask(harness, { parentId }), await storedTask(harness, { parentId })];
        const grandchild = await storedTask(harness, { parentId: (children[0] as Task).id });
        const working = updateTask(grandchild, { status: 'in_progress' }, CHANGE);
        await harness.tasks.update(working, taskUpdated(working, [], randomUUID()), undefined, TIMEOUT_MS);
        const beside = await storedTask(harness);
        const tree = [root, ...children, working];
        for (const { id } of [...tree, beside]) {
          await harness.attachments.put(aPut({ taskId: id }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        }
        const before = (await harness.eventsOf(...tree.map(({ id }) => id))).length;

        const seen: DoomedTask[] = [];
        const describe = (tasks: readonly DoomedTask[]) => {
          seen.push(...tasks);
          return describeDeletion(tasks);
        };
        const deletions = await deleteTree(harness, root.id, { describe });

        // No more: the metadata of all tasks of a step may be larger than the memory.
        const doomed = (task: Task) => ({ id: task.id, status: task.status });
        expect(seen).toEqual([doomed(root), expect.anything(), expect.anything(), doomed(working)]);
        expect(seen).toEqual(expect.arrayContaining(tree.map(doomed)));
        expect(deletions?.map(({ taskId }) => taskId)).toEqual(seen.map(({ id }) => id));
        for (const { id } of tree) {
          expect(await get(id)).toBeUndefined();
          expect(await found(harness, id)).toBeUndefined();
        }
        expect(await get(beside.id)).toEqual({ task: beside, attachmentCount: 1 });
        expect(await found(harness, beside.id)).toBeDefined();
        const events = await harness.eventsOf(...tree.map(({ id }) => id));
        expect(events.slice(before)).toEqual(deletions?.flatMap((deletion) => deletion.events));
        expect(events.slice(before)).toHaveLength(5);
      });

      /** What a step deletes, and whether others must follow. */
      const stepOf = async (taskId: string, limit: number, organization = ORGANIZATION) => {
        const tree = { taskId, caller: { organization, name: 'bob', credentialId: 'key:bob' } };
        const step = await harness.tasks.deleteTree(tree, describeDeletion, limit, TIMEOUT_MS);
        return step && { deleted: step.deletions.map((deletion) => deletion.taskId), more: step.more };
      };

      it('takes a large tree in steps: the root first, parents before their children', async () => {
        const root = await storedTask(harness);
        const childOf = async (parentId: string, n: number) =>
          (await storedTask(harness, { id: `${root.id}-${n}`, parentId })).id;
        const [a, b, c] = [await childOf(root.id, 1), await childOf(root.id, 2), await childOf(root.id, 3)];
        const [below, deep] = [await childOf(b, 4), await childOf(`${root.id}-4`, 5)];
        await harness.attachments.put(aPut({ taskId: c }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);

        expect(await stepOf(root.id, 2)).toEqual({ deleted: [root.id, a], more: true });
        expect(await get(root.id)).toBeUndefined();
        expect(await get(b)).toBeDefined();
        const late = aTask({ parentId: root.id });
        await expect(insert(late)).resolves.toBe('parent-missing');
        expect(await stepOf(root.id, 2, 'other')).toBeUndefined();
        expect(await stepOf(b, 2)).toBeUndefined();

        const unfinished = async () => {
          const trees = await harness.tasks.unfinishedDeletions(0, 100);
          return trees.filter(({ taskId }) => taskId === root.id);
        };
        const caller = { organization: ORGANIZATION, name: 'bob', credentialId: 'key:bob' };
        expect(await unfinished()).toEqual([{ taskId: root.id, caller }]);
        expect(await stepOf(root.id, 3)).toEqual({ deleted: [b, c], more: true });
        const added = await childOf(below, 6);
        expect(await stepOf(root.id, 1)).toEqual({ deleted: [below], more: true });
        expect(await stepOf(root.id, 10)).toEqual({ deleted: [deep, added], more: false });
        expect(await stepOf(root.id, 10)).toBeUndefined();
        expect(await unfinished()).toEqual([]);
        expect(await found(harness, c)).toBeUndefined();
      });

      it('names unfinished deletions of organisations in turn, the oldest of each first', async () => {
        const [greedy, modest] = [`greedy ${randomUUID()}`, `modest ${randomUUID()}`];
        const begun: string[] = [];
        for (const organization of [greedy, greedy, greedy, modest]) {
          const root = await storedTask(harness, {}, organization);
          await storedTask(harness, { parentId: root.id }, organization);
          expect(await stepOf(root.id, 1, organization)).toEqual({ deleted: [root.id], more: true });
          begun.push(root.id);
        }
        const trees = await harness.tasks.unfinishedDeletions(0, 1000);
        const [first, second, third, ofModest] = begun;
        const ids = trees.map(({ taskId }) => taskId).filter((id) => begun.includes(id));
        expect(ids).toEqual([first, ofModest, second, third]);
        for (const { taskId, caller } of trees) await stepOf(taskId, 10, caller.organization);
      });

      it.each([1, 2, 3, 7])('deletes all of a tree in steps of %i, each task once', async (stepSize) => {
        const root = await storedTask(harness);
        const ids = [root.id];
        for (let i = 0; i < 24; i++) {
          // Long chains and broad levels.
          const parentId = ids[i % 3 === 0 ? i : Math.floor(i / 4)] as string;
          ids.push((await storedTask(harness, { parentId })).id);
        }
        const deletions = await deleteTree(harness, root.id, { stepSize });
        expect(deletions?.map(({ taskId }) => taskId).sort()).toEqual(ids.toSorted());
        const events = await harness.eventsOf(...ids);
        expect(events.filter(({ type }) => type === 'task.deleted')).toHaveLength(ids.length);
      });

      it('counts the attachments of a task', async () => {
        const root = await storedTask(harness);
        const child = await storedTask(harness, { parentId: root.id });
        for (const key of ['a', 'b', 'c']) {
          await harness.attachments.put(aPut({ taskId: root.id, key }), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
        }
        expect(await stepOf(root.id, 4)).toEqual({ deleted: [root.id], more: true });
        expect(await stepOf(root.id, 4)).toEqual({ deleted: [child.id], more: false });
      });

      it.each(['missing', 'foreign', 'deleted'])('finds no task that is %s', async (how) => {
        const task =
          how === 'missing' ? aTask() : await storedTask(harness, {}, how === 'foreign' ? 'other' : undefined);
        if (how === 'deleted') await remove(task.id);
        const before = await harness.eventsOf(task.id);
        const describe = jest.fn(describeDeletion);
        await expect(deleteTree(harness, task.id, { describe })).resolves.toBeUndefined();
        expect(describe).not.toHaveBeenCalled();
        expect(await harness.eventsOf(task.id)).toEqual(before);
      });

      it('deletes nothing if the description of the deletion fails', async () => {
        const task = await storedTask(harness);
        const describe = () => {
          throw new Error('no words');
        };
        const outcome = deleteTree(harness, task.id, { describe });
        await expect(outcome).rejects.toThrow('no words');
        expect(await get(task.id)).toEqual({ task, attachmentCount: 0 });
        await expect(update(task)).resolves.toEqual({ state: 'updated' });
      });
    });
  });
}

function pageOf(tasks: readonly Task[], query: Omit<TaskListQuery, 'organization' | 'nowMs' | 'parentId'>) {
  const { statuses, assignedTo, priority, limit, offset, orderBy, descending } = query;
  const orderOf = (task: Task) => (orderBy === 'priority' ? task.priority : task[`${orderBy}Ms`]);
  const matching = tasks
    .filter((task) => statuses === undefined || statuses.includes(task.status))
    .filter((task) => assignedTo === undefined || task.assignedTo === assignedTo)
    .filter((task) => priority === undefined || task.priority === priority)
    .sort((a, b) => (descending ? -1 : 1) * (orderOf(a) - orderOf(b) || (a.id < b.id ? -1 : 1)));
  const page = matching.slice(offset, offset + limit).map((task) => ({ task, attachmentCount: 0 }));
  return { tasks: page, totalCount: matching.length };
}
