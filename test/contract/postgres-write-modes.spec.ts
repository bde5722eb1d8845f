import { randomUUID } from 'node:crypto';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import {
  aPut,
  databaseHarness,
  describeDeletion,
  found,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  type PostgresHarness,
} from './attachment-store.harness';

interface OutboxRow {
  readonly op_id: string;
  readonly superseded: boolean;
  readonly published: boolean;
}

describe('write_attachment', () => {
  let harness: PostgresHarness;
  let taskId: string;
  beforeAll(async () => {
    harness = await databaseHarness(await openMemoryDatabase());
  });
  afterAll(() => harness?.close());
  beforeEach(async () => {
    taskId = (await storedTask(harness)).id;
  });

  const put = (version: number, ttlSeconds?: number) =>
    harness.attachments.put(aPut({ taskId, ttlSeconds }, { version }), ORGANIZATION, undefined, NOW_MS);

  async function write(
    mode: 'force' | 'drain',
    version: number,
    { deleted = false, op = randomUUID(), to = taskId, nowMs = NOW_MS } = {},
  ): Promise<{ state: string; stored_version: string | null; replaced: boolean }> {
    const [row] = await harness.connection.query<{ state: string; stored_version: string | null; replaced: boolean }>(
      `SELECT state, stored_version, replaced FROM write_attachment(
        p_task_id => $1, p_key => 'k', p_deleted => $2, p_id => $3, p_type => $4, p_value => NULL, p_content => $5,
        p_url => NULL, p_mime_type => NULL, p_size => NULL, p_bytes => NULL, p_created_by => $6, p_created_at => $7,
        p_updated_at => $7, p_expires_at => NULL, p_version => $8, p_op_id => $9, p_event => $10, p_organization => NULL,
        p_mode => $11, p_if_absent => false, p_if_version => NULL, p_now => $12, p_max_attachments => 1)`,
      [
        to,
        deleted,
        ...(deleted ? [null, null, null, null, null] : ['ta-1', 'text', 'drained', 'ada', new Date(NOW_MS)]),
        version,
        op,
        JSON.stringify({ payload: {}, metadata: { eventId: op }, version }),
        mode,
        new Date(nowMs),
      ],
    );
    return row as { state: string; stored_version: string | null; replaced: boolean };
  }

  async function outbox(op: string): Promise<OutboxRow[]> {
    return harness.connection.query('SELECT op_id, superseded, published FROM outbox WHERE op_id = $1', [op]);
  }

  const count = async () => (await harness.tasks.get(taskId, ORGANIZATION, NOW_MS))?.attachmentCount;

  describe.each(['force', 'drain'] as const)('in mode %s', (mode) => {
    it('leaves a tombstone where nothing was, so that no older put comes back', async () => {
      await expect(write(mode, 1004, { deleted: true })).resolves.toMatchObject({ state: 'applied' });
      await expect(put(1002)).resolves.toEqual({ state: 'superseded', version: 1004 });
      expect(await count()).toBe(0);
    });

    it('raises the version of an older tombstone, and of nothing newer', async () => {
      await write(mode, 1004, { deleted: true });
      await write(mode, 1008, { deleted: true });
      await expect(put(1006)).resolves.toEqual({ state: 'superseded', version: 1008 });
      await expect(write(mode, 1002, { deleted: true })).resolves.toMatchObject({
        state: 'superseded',
        stored_version: '1008',
      });
    });

    it('deletes an expired attachment, and counts it no more', async () => {
      await put(1000, 1);
      await write(mode, 1002, { deleted: true, nowMs: NOW_MS + 2000 });
      await expect(put(1001)).resolves.toEqual({ state: 'superseded', version: 1002 });
      expect(await count()).toBe(0);
    });
  });

  describe('in mode drain', () => {
    it('puts what is newer, once', async () => {
      const op = randomUUID();
      await expect(write('drain', 1000, { op })).resolves.toMatchObject({ state: 'applied', replaced: false });
      await expect(write('drain', 1000, { op })).resolves.toMatchObject({
        state: 'superseded',
        stored_version: '1000',
      });
      expect(await found(harness, taskId)).toMatchObject({ content: 'drained', version: 1000, op });
      expect(await outbox(op)).toEqual([{ op_id: op, superseded: false, published: false }]);
      expect(await count()).toBe(1);
    });

    it('records the event of what comes too late, as superseded', async () => {
      const op = randomUUID();
      await put(1002);
      await expect(write('drain', 1000, { op })).resolves.toMatchObject({
        state: 'superseded',
        stored_version: '1002',
      });
      expect(await outbox(op)).toEqual([{ op_id: op, superseded: true, published: false }]);
      expect(await found(harness, taskId)).toMatchObject({ version: 1002 });
    });

    it('records what comes after the end of its task, and does not announce it', async () => {
      const op = randomUUID();
      await harness.tasks.deleteTree(taskId, ORGANIZATION, describeDeletion);
      await expect(write('drain', 5000, { op })).resolves.toMatchObject({ state: 'task-missing' });
      await write('drain', 5000, { op });
      expect(await outbox(op)).toEqual([{ op_id: op, superseded: true, published: true }]);
    });

    it('is refused by no limit', async () => {
      await harness.attachments.put(aPut({ taskId, key: 'first' }), ORGANIZATION, undefined, NOW_MS);
      await expect(write('force', 1000)).resolves.toMatchObject({ state: 'task-full' });
      await expect(write('drain', 1000)).resolves.toMatchObject({ state: 'applied' });
    });
  });
});
