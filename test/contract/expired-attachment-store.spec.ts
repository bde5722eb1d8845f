import { randomUUID } from 'node:crypto';
import type { Attachment, ExpiredAttachment } from '../../src/core/domain/attachment';
import { attachmentExpired, taskCreated } from '../../src/core/domain/domain-event';
import { aDeletion, aPut, aTask, deleteTree, NOW_MS, ORGANIZATION, TIMEOUT_MS } from './attachment-store.harness';
import { OUTBOX_HARNESSES, type OutboxHarness } from './outbox.harness';

const EXPIRES_MS = NOW_MS + 5000;

describe.each(OUTBOX_HARNESSES)('ExpiredAttachmentStore %s', (_, open) => {
  let harness: OutboxHarness;
  let taskId: string;
  let start: string;
  beforeAll(async () => {
    harness = await open();
  });
  afterAll(() => harness?.close());
  beforeEach(async () => {
    await harness.expired.remove(await found());
    await harness.expired.purgeTombstones(Number.MAX_SAFE_INTEGER, 1000);
    const task = aTask();
    taskId = task.id;
    await harness.tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS);
    start = (await read())?.position as string;
  });

  const found = async (nowMs = EXPIRES_MS + 10_000, limit = 1000) => [...(await harness.expired.find(nowMs, limit))];
  const read = (after?: string) => harness.outbox.read({ organization: ORGANIZATION, after, limit: 100 }, TIMEOUT_MS);
  const announced = async () => (await read(start))?.events.map(({ event }) => event);
  const put = async (key: string, ttlSeconds?: number, version = 1000, nowMs = NOW_MS) => {
    const one = aPut({ taskId, key, ttlSeconds }, { version, nowMs });
    const outcome = await harness.attachments.put(one, ORGANIZATION, undefined, nowMs, TIMEOUT_MS);
    expect(outcome).toMatchObject({ state: 'applied' });
    return one;
  };
  const asExpired = ({ key, id, version, op, expiresAtMs }: Attachment) =>
    ({ taskId, key, id, version, op, expiresAtMs }) as ExpiredAttachment;

  it('finds expired attachments, the oldest first', async () => {
    const [later, earlier] = [await put('later', 5), await put('earlier', 4)];
    await put('never');
    await put('not yet', 100);
    expect(await found(EXPIRES_MS - 1)).toMatchObject([{ key: 'earlier' }]);
    expect(await found(EXPIRES_MS)).toMatchObject([asExpired(earlier.attachment), asExpired(later.attachment)]);
    expect(await found(EXPIRES_MS, 1)).toMatchObject([{ key: 'earlier' }]);
  });

  it('lets organisations take turns, however many attachments of one have expired', async () => {
    const other = aTask({}, 'other');
    await harness.tasks.insert(other, [], taskCreated(other, randomUUID()), TIMEOUT_MS);
    const keys = ['first', 'second', 'third', 'fourth', 'fifth'];
    for (const [i, key] of keys.entries()) await put(key, 1, 1000 + 2 * i, NOW_MS + i);
    const late = aPut({ taskId: other.id, key: 'of the other', ttlSeconds: 3 }, { version: 1000, nowMs: NOW_MS });
    await harness.attachments.put(late, 'other', undefined, NOW_MS, TIMEOUT_MS);
    const turns = ['first', 'of the other', 'second', 'third', 'fourth', 'fifth'];
    for (let limit = 1; limit < turns.length; limit++) {
      expect((await found(EXPIRES_MS, limit)).map(({ key }) => key)).toEqual(turns.slice(0, limit));
    }
  });

  it('removes and announces an expired attachment once, even if several replicas try', async () => {
    const { attachment, event } = await put('k', 5);
    const expired = asExpired(attachment);
    const removed = await Promise.all([1, 2, 3, 4].map(() => harness.expired.remove([expired])));
    expect(removed.flat()).toEqual([expired]);
    expect(await announced()).toEqual([event, attachmentExpired(expired)]);
    expect(await found()).toEqual([]);
    expect((await harness.tasks.get(taskId, ORGANIZATION, NOW_MS, TIMEOUT_MS))?.attachmentCount).toBe(0);
  });

  it('removes many at once, of several tasks, and announces each', async () => {
    const other = aTask();
    await harness.tasks.insert(other, [], taskCreated(other, randomUUID()), TIMEOUT_MS);
    for (const [i, of] of [taskId, other.id, taskId, other.id, taskId].entries()) {
      const one = aPut({ taskId: of, key: `k${i}`, ttlSeconds: 5 }, { nowMs: NOW_MS });
      await harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    }
    const expired = await found();
    expect(expired).toHaveLength(5);
    const [gone] = expired.splice(1, 1) as [ExpiredAttachment];
    await harness.expired.remove([gone]);
    const removed = await harness.expired.remove([...expired, gone]);
    expect(removed.map(({ id }) => id).sort()).toEqual(expired.map(({ id }) => id).sort());
    const ids = (await announced())?.flatMap(({ type, payload }) =>
      type === 'task.attachment.expired' ? payload['attachmentId'] : [],
    );
    expect(ids?.sort()).toEqual([...expired, gone].map(({ id }) => id).sort());
    for (const id of [taskId, other.id])
      expect((await harness.tasks.get(id, ORGANIZATION, NOW_MS, TIMEOUT_MS))?.attachmentCount).toBe(0);
  });

  it('leaves a tombstone that orders later writes', async () => {
    const { attachment } = await put('k', 5, 1000);
    expect(await harness.expired.remove([asExpired(attachment)])).toHaveLength(1);
    const late = aPut({ taskId, key: 'k' }, { version: 1000 });
    const outcome = harness.attachments.put(late, ORGANIZATION, undefined, EXPIRES_MS, TIMEOUT_MS);
    await expect(outcome).resolves.toEqual({ state: 'superseded', version: 1001 });
    await put('k', undefined, 1002, EXPIRES_MS);
  });

  it('does not remove an overwrite, which has announced the expiry', async () => {
    const first = await put('k', 5, 1000);
    const second = await put('k', undefined, 1002, EXPIRES_MS);
    const expired = asExpired(first.attachment);
    expect(await harness.expired.remove([expired])).toEqual([]);
    expect(await announced()).toEqual([first.event, attachmentExpired(expired), second.event]);
  });

  it('does not remove an attachment that was overwritten in time, deleted, or deleted with its task', async () => {
    const [overwritten, deleted, gone] = [await put('a', 5, 1000), await put('b', 5), await put('c', 5)];
    await put('a', undefined, 1002);
    await harness.attachments.delete(aDeletion(taskId, 'b', 1002), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    expect(await harness.expired.remove([overwritten, deleted].map(({ attachment }) => asExpired(attachment)))).toEqual(
      [],
    );
    await deleteTree(harness, taskId);
    expect(await harness.expired.remove([asExpired(gone.attachment)])).toEqual([]);
    expect((await announced())?.filter(({ type }) => type === 'task.attachment.expired')).toEqual([]);
  });

  it('purges tombstones by their version, and no live attachment', async () => {
    await put('live');
    for (const [key, version] of [
      ['a', 1002],
      ['b', 1004],
      ['c', 1006],
    ] as const) {
      await put(key);
      await harness.attachments.delete(aDeletion(taskId, key, version), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    }
    expect(await harness.expired.purgeTombstones(1002, 10)).toBe(0);
    expect(await harness.expired.purgeTombstones(1006, 1)).toBe(1);
    expect(await harness.expired.purgeTombstones(1006, 10)).toBe(1);
    expect(await harness.expired.purgeTombstones(1006, 10)).toBe(0);
    expect((await harness.tasks.get(taskId, ORGANIZATION, NOW_MS, TIMEOUT_MS))?.attachmentCount).toBe(1);
  });
});
