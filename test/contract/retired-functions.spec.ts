import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { taskCreated, type DomainEvent } from '../../src/core/domain/domain-event';
import type { AttachmentPut } from '../../src/core/ports/attachment-write';
import { putParameters, type WriteRow } from '../../src/outbound/postgres/attachment-row';
import { PostgresOutbox } from '../../src/outbound/postgres/postgres-outbox';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { SqlFunction } from '../../src/outbound/postgres/sql-function';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aPut,
  aTask,
  databaseHarness,
  describeDeletion,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { createByEarlier } from './earlier-create-task';

const CALLED = ['write_attachment', 'lock_task_tree', 'change_outbox', 'create_task'];
const RETIRED = join(__dirname, '../../migrations/functions/retired');

/** As the previous release calls them. */
const WRITE_ATTACHMENT = new SqlFunction('write_attachment', [
  ...['task_id', 'key', 'deleted', 'id', 'type', 'value', 'content', 'url', 'mime_type', 'size', 'bytes', 'created_by'],
  ...['created_at', 'updated_at', 'expires_at', 'version', 'op_id', 'event'],
  ...['organization', 'mode', 'if_absent', 'if_version', 'now', 'max_attachments'],
]);
const LOCK_TREE = 'SELECT id FROM lock_task_tree($1, $2) WITH ORDINALITY AS t ORDER BY t.ordinality';
const UNPUBLISHED = 'SELECT seq, task_id, event FROM outbox WHERE NOT published ORDER BY seq LIMIT $1';
const MARK_PUBLISHED = 'UPDATE outbox SET published = true WHERE seq = ANY ($1) AND op_id = ANY ($2)';
const PURGE = 'DELETE FROM outbox WHERE published';
const DELETE_TASKS = 'SELECT delete_tasks($1)';

describe('a function that replicas of the previous release call', () => {
  let server: PostgresServer;
  let harness: PostgresHarness;

  beforeAll(async () => {
    server = await startPostgres();
    harness = await databaseHarness(serverDatabase({ url: await server.createDatabase(), poolSize: 2 }));
  });
  afterAll(async () => {
    await harness?.close();
    await server?.stop();
  });

  const putByPrevious = async (put: AttachmentPut) => {
    const terms = { organization: ORGANIZATION, mode: 'direct', if_absent: false, if_version: null };
    const values = WRITE_ATTACHMENT.values({
      ...putParameters(put),
      ...terms,
      now: new Date(NOW_MS),
      max_attachments: 100,
    });
    const [row] = await harness.connection.query<WriteRow>(`SELECT * FROM ${WRITE_ATTACHMENT.call}`, values);
    return row;
  };
  const putByPresent = (put: AttachmentPut) =>
    harness.attachments.put(put, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);

  it('`write_attachment` and its successor order the writes of both', async () => {
    const { id: taskId } = await storedTask(harness);
    const first = aPut({ taskId }, { version: 1000 });
    expect(await putByPrevious(first)).toMatchObject({ state: 'applied', replaced: false });
    const second = aPut({ taskId }, { version: 1002 });
    expect(await putByPresent(second)).toMatchObject({
      state: 'applied',
      replaced: true,
      identity: { id: first.attachment.id },
    });
    expect(await putByPrevious(aPut({ taskId }, { version: 998 }))).toMatchObject({
      state: 'superseded',
      stored_version: '1002',
    });
    const last = aPut({ taskId }, { version: 1004 });
    expect(await putByPrevious(last)).toMatchObject({ state: 'applied', id: first.attachment.id, replaced: true });
    expect(await putByPresent(aPut({ taskId }, { version: 1003 }))).toEqual({ state: 'superseded', version: 1004 });
    expect(await found(harness, taskId)).toMatchObject({ version: 1004, id: first.attachment.id });
    const ops = (await harness.eventsOf(taskId)).slice(1).map(({ metadata }) => metadata.eventId);
    expect(ops).toEqual([first, second, last].map(({ attachment }) => attachment.op));
  });

  it('`lock_task_tree` keeps out what its successor and the writers keep out', async () => {
    const root = await storedTask(harness);
    const child = await storedTask(harness, { parentId: root.id });
    await harness.connection.transaction(async (query) => {
      const locked = await query<{ id: string }>(LOCK_TREE, [root.id, ORGANIZATION]);
      expect(locked.map(({ id }) => id)).toEqual([root.id, child.id]);
      await expect(putByPresent(aPut({ taskId: child.id }))).rejects.toMatchObject({ outcome: 'busy' });
      const rowOf = ({ taskId, stamp, events }: ReturnType<typeof describeDeletion>[number]) => ({
        task_id: taskId,
        version: stamp.version,
        op_id: stamp.op,
        events,
      });
      const deletions = describeDeletion([root, child]).map(rowOf);
      await query(DELETE_TASKS, [JSON.stringify(deletions)]);
    }, TIMEOUT_MS);
    expect(await putByPresent(aPut({ taskId: child.id }))).toEqual({ state: 'task-missing' });
    expect((await harness.eventsOf(child.id)).map(({ type }) => type)).toEqual(['task.created', 'task.deleted']);
  });

  it('`change_outbox` lets the publishers of both take turns, and no event is lost', async () => {
    const { id: taskId } = await storedTask(harness);
    const outbox = new PostgresOutbox(harness.connection);
    const previous = await harness.connection.query<{ seq: string; event: DomainEvent }>(UNPUBLISHED, [1000]);
    const present = await outbox.unpublished(1000);
    expect(previous.map(({ seq }) => Number(seq))).toEqual(present?.map(({ seq }) => seq));
    const ops = previous.map(({ event }) => event.metadata.eventId);
    expect(ops).toEqual(present?.map(({ event }) => event.metadata.eventId));
    await harness.connection.query(MARK_PUBLISHED, [previous.map(({ seq }) => seq), ops]);
    await harness.connection.query(PURGE);
    expect(await outbox.unpublished(1000)).toEqual([]);
    expect(await harness.eventsOf(taskId)).toHaveLength(1);

    await putByPresent(aPut({ taskId }));
    await outbox.markPublished((await outbox.unpublished(1000)) ?? []);
    expect(await harness.connection.query(UNPUBLISHED, [1000])).toEqual([]);
  });

  it('`create_task` leaves what its successor leaves, and an id is taken for both', async () => {
    const task = aTask();
    expect(await createByEarlier(harness.connection, task)).toBe('inserted');
    expect(await harness.tasks.get(task.id, ORGANIZATION, NOW_MS, TIMEOUT_MS)).toEqual({ task, attachmentCount: 0 });
    expect(await harness.tasks.repeated(task, [], TIMEOUT_MS)).toEqual({ createdAtMs: NOW_MS });
    expect(await harness.tasks.insert(task, [], taskCreated(task, randomUUID()), TIMEOUT_MS)).toBe('id-taken');
    expect(await createByEarlier(harness.connection, await storedTask(harness, { ttlSeconds: 7 }))).toBe('id-taken');
  });

  it('has a test in this file', () => {
    const retired = readdirSync(RETIRED).map((file) => basename(file, '.sql'));
    expect(retired.filter((name) => !CALLED.includes(name))).toEqual([]);
  });
});
