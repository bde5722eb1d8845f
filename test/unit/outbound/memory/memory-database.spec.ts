import { randomUUID } from 'node:crypto';
import { taskCreated } from '../../../../src/core/domain/domain-event';
import { createTask } from '../../../../src/core/domain/task';
import type { OutboxChanges } from '../../../../src/core/ports/outbox';
import { MemoryAttachmentStore } from '../../../../src/outbound/memory/memory-attachment-store';
import { MemoryDatabase } from '../../../../src/outbound/memory/memory-database';
import { MemoryOutbox } from '../../../../src/outbound/memory/memory-outbox';
import { MemoryTaskStore } from '../../../../src/outbound/memory/memory-task-store';
import { aDeletion, aPut, NOW_MS, ORGANIZATION } from '../../../contract/attachment-store.harness';

const HOUR_MS = 3_600_000;

describe('a transaction of the memory database', () => {
  let database: MemoryDatabase;
  let attachments: MemoryAttachmentStore;
  let outbox: MemoryOutbox;
  let start: number;
  beforeEach(async () => {
    database = new MemoryDatabase();
    attachments = new MemoryAttachmentStore(database);
    outbox = new MemoryOutbox(database, { nowMs: () => NOW_MS });
    const task = createTask({ id: 't', text: 'Write the report' }, ORGANIZATION, '', { by: 'ada', nowMs: NOW_MS });
    await new MemoryTaskStore(database).insert(task, [], taskCreated(task, randomUUID()));
    start = (await outbox.changes(undefined, 1, HOUR_MS)).to;
  });

  const put = (key: string, version = 1000) =>
    attachments.put(aPut({ taskId: 't', key }, { version }), ORGANIZATION, undefined, NOW_MS);
  const stored = async (key: string) =>
    (await attachments.find([{ taskId: 't', key }], ORGANIZATION, NOW_MS)).found[0]?.version;
  const keysOf = ({ changes }: OutboxChanges) => changes.map((change) => 'key' in change && change.key);

  it('holds back later changes while it is open, and is not skipped if it commits late', async () => {
    await put('before');
    const slow = database.begin();
    await put('after');
    const first = await outbox.changes(start, 10, HOUR_MS);
    expect(keysOf(first)).toEqual(['before']);
    expect(first.to).toBe(slow);
    expect(first.horizon).toBeGreaterThan(first.to);

    await database.commit(slow, () => put('slow'));
    const second = await outbox.changes(first.to, 10, HOUR_MS);
    expect(keysOf(second)).toEqual(['slow', 'after']);
    expect(second.to).toBe(first.horizon);
  });

  it('writes when it commits, so that the order of the commits counts', async () => {
    const [first, second] = [database.begin(), database.begin()];
    await database.commit(second, () => put('k', 1002));
    await expect(database.commit(first, () => put('k', 1000))).resolves.toEqual({ state: 'superseded', version: 1002 });
    expect(await stored('k')).toBe(1002);
    const seqs = database.rows.all.map(({ seq }) => seq);
    expect(seqs).toEqual([1, 2]);
  });

  it('may contain several calls', async () => {
    const xid = database.begin();
    await database.commit(xid, () =>
      Promise.all([put('a'), attachments.delete(aDeletion('t', 'a', 1002), ORGANIZATION, undefined, NOW_MS), put('b')]),
    );
    expect(database.rows.all.slice(1).map((row) => row.xid)).toEqual([xid, xid, xid]);
    expect([await stored('a'), await stored('b')]).toEqual([1002, 1000]);
  });

  it('ends even if its work fails or does nothing', async () => {
    const [failing, idle] = [database.begin(), database.begin()];
    const fail = () => {
      throw new Error('no words');
    };
    expect(() => database.commit(failing, fail)).toThrow('no words');
    database.commit(idle, () => undefined);
    await put('k');
    expect(keysOf(await outbox.changes(start, 10, HOUR_MS))).toEqual(['k']);
  });

  it('is needed to record a change', () => {
    const { event } = aPut({ taskId: 't', key: 'k' });
    expect(() => database.recordOfTask('t', event)).toThrow('a change is recorded by a transaction that commits');
  });
});
