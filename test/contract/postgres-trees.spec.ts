import { randomUUID } from 'node:crypto';
import type { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresDueTaskStore } from '../../src/outbound/postgres/postgres-due-task-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { Client } from 'pg';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aDeletion,
  aPut,
  aTask,
  databaseHarness,
  deleteTree,
  describeDeletion,
  NOW_MS,
  ORGANIZATION,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { taskCompleted, taskCreated } from '../../src/core/domain/domain-event';
import { completeTask } from '../../src/core/domain/task';

/** More than the table of locks has room for. */
const SUB_TASKS = 20_000;
/** As in production; under the load of other tests a step takes several times its usual 20 ms. */
const STEP_SIZE = 200;

describe('on PostgreSQL', () => {
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

  it('a tree with more tasks than locks is deleted, and others write meanwhile', async () => {
    const root = await storedTask(harness);
    const beside = await storedTask(harness, {}, 'other');
    await harness.connection.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, created_at, created_by,
         updated_at, revision)
       SELECT $1 || '-' || n, organization, text, status, priority, metadata, id, created_at, created_by, updated_at, 1
       FROM tasks, generate_series(1, $2::integer) AS n WHERE id = $1`,
      [root.id, SUB_TASKS],
      TIMEOUT_MS,
    );
    let isOver = false;
    const deleting = deleteTree(harness, root.id, { stepSize: STEP_SIZE }).finally(() => (isOver = true));
    const tookMs: number[] = [];
    for (let version = 1000; !isOver; version += 2) {
      const startedAtMs = performance.now();
      const put = aPut({ taskId: beside.id }, { version });
      const outcome = await harness.attachments.put(put, 'other', undefined, NOW_MS, TIMEOUT_MS);
      expect(outcome.state).toBe('applied');
      tookMs.push(performance.now() - startedAtMs);
    }
    expect((await deleting)?.length).toBe(SUB_TASKS + 1);
    const totalMs = tookMs.reduce((sum, ms) => sum + ms);
    tookMs.sort((a, b) => a - b);
    const p99Ms = tookMs[Math.floor(tookMs.length * 0.99)];
    expect(tookMs.length).toBeGreaterThan(50);
    expect(p99Ms).toBeLessThan(totalMs / 10);
    const [left] = await harness.connection.query(`
      SELECT (SELECT count(*)::integer FROM tasks WHERE parent_id IS NOT NULL) AS tasks,
        (SELECT count(*)::integer FROM unfinished_deletions) AS deletions`);
    expect(left).toEqual({ tasks: 0, deletions: 0 });
  });

  it('tasks that are due are found without reading the others', async () => {
    const root = await storedTask(harness);
    const hour = 3_600_000;
    await harness.connection.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, created_at, created_by,
         updated_at, completed_at, expires_at, revision)
       SELECT $1 || '-' || n, organization, text, 'completed', priority, metadata, CASE WHEN n < 10 THEN id END,
         created_at, created_by, updated_at, $3::timestamptz + n * interval '1 s', $3::timestamptz + n * interval '1 s', 1
       FROM tasks, generate_series(1, $2::integer) AS n WHERE id = $1`,
      [root.id, SUB_TASKS, new Date(NOW_MS)],
      TIMEOUT_MS,
    );
    await harness.connection.query('ANALYZE tasks');
    await harness.connection.transaction(async (query) => {
      // What the session did before may still be counted with what it does now.
      const counted = async () => {
        const [row] = await query<{ scans: number; fetched: number }>(
          `SELECT coalesce(sum(seq_scan), 0)::integer AS scans, coalesce(sum(idx_tup_fetch), 0)::integer AS fetched
           FROM pg_stat_xact_user_tables WHERE relname = 'tasks'`,
        );
        return row!;
      };
      const before = await counted();
      const store = new PostgresDueTaskStore({ query } as PostgresConnection);
      const first = await store.finished(NOW_MS + hour, undefined, 50);
      const next = await store.finished(NOW_MS + hour, first.at(-1), 50);
      const expired = await store.expired(NOW_MS + hour, 50);
      await query('SELECT is_tree_finished($1, $2, now())', [root.id, ORGANIZATION]);
      expect([first.length, next.length, expired.length]).toEqual([50, 50, 50]);
      const after = await counted();
      expect(after.scans - before.scans).toBe(0);
      expect(after.fetched - before.fetched).toBeGreaterThan(0);
      expect(after.fetched - before.fetched).toBeLessThan(1000);
    }, TIMEOUT_MS);
  });

  it('the use of an organisation with many tasks is counted page by page, each task once', async () => {
    const organization = randomUUID();
    const { id } = await storedTask(harness, {}, organization);
    await harness.connection.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, created_at, created_by, updated_at, revision,
         attachment_count)
       SELECT $1 || '-' || n, organization, text, status, priority, metadata, created_at + n / 3 * interval '1 ms',
         created_by, updated_at, 1, CASE WHEN n <= 3 THEN 15000 ELSE 0 END
       FROM tasks, generate_series(1, 2500) AS n WHERE id = $1`,
      [id],
      TIMEOUT_MS,
    );
    await harness.connection.query(
      `INSERT INTO task_attachments (task_id, key, id, type, content, bytes, created_by, created_at, updated_at, version,
         op_id, deleted)
       SELECT $1 || '-' || n, k, 'ta', 'text', '', n, 'ada', now(), now(), 1, gen_random_uuid(), false
       FROM generate_series(1, 2500) AS n, (VALUES ('a'), ('b')) AS keys(k)`,
      [id],
      TIMEOUT_MS,
    );
    const usage = await harness.tasks.usage(organization, NOW_MS, TIMEOUT_MS);
    expect(usage).toEqual({ tasks: 2501, attachments: 5000, bytes: 2500 * 2501 });
  });

  it('no call waits for the locks of a task of another organisation: it would fail at its time limit', async () => {
    const { id } = await storedTask(harness, {}, 'other');
    await harness.attachments.put(aPut({ taskId: id }), 'other', undefined, NOW_MS, TIMEOUT_MS);
    const owner = new Client({ connectionString: server.url });
    await owner.connect();
    try {
      await owner.query('BEGIN');
      await owner.query('SELECT pg_advisory_xact_lock(task_lock($1))', [id]);
      await owner.query('SELECT FROM tasks WHERE id = $1 FOR UPDATE', [id]);
      const sub = aTask({ parentId: id });
      const done = { ...completeTask(aTask({ id }), {}, { by: 'w', nowMs: NOW_MS }), organization: ORGANIZATION };
      const put = () => aPut({ taskId: id }, { version: 2000 });
      const { attachments, tasks } = harness;
      const caller = { organization: ORGANIZATION, name: 'bob' };
      const missing = { state: 'task-missing' };
      expect(await attachments.put(put(), ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS)).toEqual(missing);
      const deletion = aDeletion(id, 'k', 2000);
      expect(await attachments.delete(deletion, ORGANIZATION, undefined, NOW_MS, TIMEOUT_MS)).toEqual(missing);
      const list = { taskId: id, organization: ORGANIZATION, keyPrefix: '', limit: 1, offset: 0, nowMs: NOW_MS };
      const page = { ...list, descending: false, includeBodies: true };
      expect(await attachments.list(page, TIMEOUT_MS)).toBeUndefined();
      expect(await tasks.insert(sub, [], taskCreated(sub, randomUUID()), TIMEOUT_MS)).toBe('parent-missing');
      expect(await tasks.get(id, ORGANIZATION, NOW_MS, TIMEOUT_MS)).toBeUndefined();
      for (const result of [undefined, put()]) {
        const update = tasks.update(done, taskCompleted(done, randomUUID()), result, TIMEOUT_MS);
        expect(await update).toEqual({ state: 'stale' });
      }
      const step = tasks.deleteTree({ taskId: id, caller }, describeDeletion, STEP_SIZE, TIMEOUT_MS);
      expect(await step).toBeUndefined();
    } finally {
      await owner.end();
    }
  });
});
