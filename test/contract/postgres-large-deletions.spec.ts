import { PostgresExpiredAttachmentStore } from '../../src/outbound/postgres/postgres-expired-attachment-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aPut,
  databaseHarness,
  describeDeletion,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';

const MIB = 1024 * 1024;
const STEP_SIZE = 200;
const LATER_MS = NOW_MS + 60_000;

describe('a task with more attachments than one step deletes', () => {
  let server: PostgresServer;
  let harness: PostgresHarness;
  beforeAll(async () => {
    server = await startPostgres();
    harness = await databaseHarness(serverDatabase({ url: server.url, poolSize: 4 }));
  });
  afterAll(async () => {
    await harness?.close();
    await server?.stop();
  });

  /** All of them expire. */
  const put = async (taskId: string, ...keys: string[]) => {
    for (const key of keys) {
      const one = aPut({ taskId, key, ttlSeconds: 1 }, { nowMs: NOW_MS });
      await harness.attachments.put(one, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS);
    }
  };
  const keysOf = async (taskId: string) => {
    const text = 'SELECT key FROM task_attachments WHERE task_id = $1 ORDER BY key';
    return (await harness.connection.query<{ key: string }>(text, [taskId])).map(({ key }) => key);
  };
  const stepOf = async (taskId: string) => {
    const tree = { taskId, caller: { organization: ORGANIZATION, name: 'bob' } };
    const step = await harness.tasks.deleteTree(tree, describeDeletion, STEP_SIZE, TIMEOUT_MS);
    return step && { deleted: step.deletions.map((deletion) => deletion.taskId), more: step.more };
  };
  const unfinished = async () => (await harness.tasks.unfinishedDeletions(0, 100)).map(({ taskId }) => taskId);
  const expired = async () => {
    const store = new PostgresExpiredAttachmentStore(harness.connection);
    return (await store.find(LATER_MS, 100)).map(({ key }) => key);
  };

  it('is gone with the first step, and the others delete what is left, which nothing shows', async () => {
    const root = await storedTask(harness);
    const child = await storedTask(harness, { parentId: root.id });
    await put(root.id, 'a', 'b', 'c', 'd');
    await put(child.id, 'e', 'f');
    await harness.connection.query('UPDATE task_attachments SET bytes = $1', [30 * MIB]);

    expect(await stepOf(root.id)).toEqual({ deleted: [root.id, child.id], more: true });
    expect([await keysOf(root.id), await keysOf(child.id)].flat()).toHaveLength(4);
    expect(await harness.tasks.get(root.id, ORGANIZATION, NOW_MS, TIMEOUT_MS)).toBeUndefined();
    for (const { id } of [root, child]) expect(await found(harness, id)).toBeUndefined();
    expect(await expired()).toEqual([]);
    expect(await unfinished()).toEqual([root.id]);
    const events = await harness.eventsOf(root.id, child.id);

    for (let steps = 0; (await stepOf(root.id))?.more; steps++) expect(steps).toBeLessThan(4);
    expect([await keysOf(root.id), await keysOf(child.id)]).toEqual([[], []]);
    expect(await unfinished()).toEqual([]);
    expect(await harness.eventsOf(root.id, child.id)).toEqual(events);
    expect(await stepOf(root.id)).toBeUndefined();
  });

  it('loses one attachment at least with each step, however large, and at most ten thousand rows', async () => {
    const { id } = await storedTask(harness);
    await put(id, 'a', 'b');
    await harness.connection.query('UPDATE task_attachments SET bytes = $1', [1024 * MIB]);
    await harness.connection.query(
      `INSERT INTO task_attachments (task_id, key, version, op_id, deleted)
      SELECT $1, 'tombstone ' || n, 2, gen_random_uuid(), true FROM generate_series(1, 10001) AS n`,
      [id],
    );
    const left: number[] = [];
    for (let more = true; more; left.push((await keysOf(id)).length)) more = (await stepOf(id))?.more === true;
    expect(left).toEqual([10_002, 10_001, 1, 0]);
  });
});
