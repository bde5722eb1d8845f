import { randomUUID } from 'node:crypto';
import { taskUpdated } from '../../src/core/domain/domain-event';
import { updateTask, type Task } from '../../src/core/domain/task';
import type { TaskListQuery } from '../../src/core/ports/task-store';
import type { Query } from '../../src/outbound/postgres/pooled-session';
import type { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresTaskStore } from '../../src/outbound/postgres/postgres-task-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import {
  aTask,
  databaseHarness,
  deleteTree,
  NOW_MS,
  storedTask,
  TIMEOUT_MS,
  type PostgresHarness,
} from './attachment-store.harness';
import { createByEarlier } from './earlier-create-task';

const PAGE = { limit: 20, offset: 0, orderBy: 'createdAt', descending: false, nowMs: NOW_MS } as const;
type Filters = Partial<Pick<TaskListQuery, 'statuses' | 'priority' | 'parentId' | 'orderBy'>>;

describe('the number of tasks on PostgreSQL', () => {
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

  const list = (organization: string, filters: Filters = {}) =>
    harness.tasks.list({ organization, ...PAGE, ...filters }, TIMEOUT_MS);
  const rows = async (organization: string) => {
    const [row] = await harness.connection.query<{ count: number }>(
      'SELECT count(*)::integer FROM task_counts WHERE organization = $1',
      [organization],
    );
    return row?.count;
  };
  /** Chance decides when counts are added up. */
  const fromSeed = (text: string, values: readonly unknown[]) =>
    harness.connection.transaction(async (query) => {
      await query('SELECT setseed(0.5)');
      await query(text, values);
    }, TIMEOUT_MS);
  /** Every tenth task is a sub-task, and every second one is finished. */
  async function organizationOf(count: number): Promise<string> {
    const organization = randomUUID();
    const { id } = await storedTask(harness, {}, organization);
    await fromSeed(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, created_at, created_by,
         updated_at, revision)
       SELECT $1 || '-' || n, organization, text, CASE n % 2 WHEN 0 THEN 'completed' ELSE status END, n % 3, metadata,
         CASE n % 10 WHEN 0 THEN id END, created_at + n * interval '1 ms', created_by, updated_at, 1
       FROM tasks, generate_series(1, $2::integer - 1) AS n WHERE id = $1`,
      [id, count],
    );
    return organization;
  }
  /** Rows of all tables that one list reads. */
  const readFor = (organization: string, filters: Filters) =>
    harness.connection.transaction(async (query: Query) => {
      const counted = async () => {
        const [row] = await query<{ read: number }>(`
          SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read FROM pg_stat_xact_user_tables`);
        return row?.read ?? NaN;
      };
      const before = await counted();
      const { totalCount } = await new PostgresTaskStore({ query } as PostgresConnection).list(
        { organization, ...PAGE, ...filters },
        TIMEOUT_MS,
      );
      return { totalCount, read: (await counted()) - before };
    }, TIMEOUT_MS);

  it.each<[string, Filters, number]>([
    ['all tasks', {}, 10_000],
    ['those of a status', { statuses: ['completed'] }, 4999],
    ['those of some statuses', { statuses: ['pending', 'completed'] }, 10_000],
    ['those of a priority', { priority: 1 }, 3333],
    ['those without a parent', { parentId: null }, 9001],
  ])('costs a list of %s no more if there are a hundred times as many', async (_, filters, count) => {
    const [small, large] = [await organizationOf(100), await organizationOf(10_000)];
    await harness.connection.query('ANALYZE tasks');
    const few = await readFor(small, filters);
    const many = await readFor(large, filters);
    expect(many.totalCount).toBe(count);
    expect(few.read).toBeGreaterThan(20);
    expect(many.read).toBeLessThan(few.read + 100);
  });

  it.each(['createdAt', 'priority'] as const)(
    'does not matter to a list of those that are not finished, by %s',
    async (orderBy) => {
      const organization = await organizationOf(10_000);
      await fromSeed(
        `UPDATE tasks SET status = CASE WHEN created_at < $2 THEN 'completed' ELSE 'pending' END,
           priority = CASE WHEN created_at < $2 THEN 10 ELSE 20 END
         WHERE organization = $1`,
        [organization, new Date(NOW_MS + 9980)],
      );
      await harness.connection.query('ANALYZE tasks');
      for (const statuses of [['pending'], ['pending', 'in_progress']] as const) {
        const { totalCount, read } = await readFor(organization, { statuses, orderBy });
        expect(totalCount).toBe(20);
        expect(read).toBeLessThan(500);
      }
    },
  );

  it('is kept in few rows, however often tasks change', async () => {
    const organization = randomUUID();
    const deleted = await storedTask(harness, {}, organization);
    const created = await storedTask(harness, {}, organization);
    await harness.connection.transaction(async (query) => {
      const store = new PostgresTaskStore({ change: query } as PostgresConnection);
      await query('SELECT setseed(0.5)');
      let task: Task = created;
      for (let i = 0; i < 1000; i++) {
        task = updateTask(task, { priority: i % 2 }, { by: 'ada', nowMs: NOW_MS });
        const outcome = await store.update(task, taskUpdated(task, [], randomUUID()), undefined, TIMEOUT_MS);
        expect(outcome.state).toBe('updated');
      }
    }, TIMEOUT_MS);
    await deleteTree(harness, deleted.id, { organization });
    expect((await list(organization)).totalCount).toBe(1);
    expect(await rows(organization)).toBeLessThan(1000);
    await harness.connection.query('SELECT fold_task_counts($1)', [organization]);
    expect(await rows(organization)).toBe(1);
    expect((await list(organization)).totalCount).toBe(1);
  });

  it('is right after replicas of the previous release have written, and after rows were removed by hand', async () => {
    const organization = randomUUID();
    const [first, second] = [aTask({}, organization), aTask({}, organization)];
    for (const task of [first, second]) expect(await createByEarlier(harness.connection, task)).toBe('inserted');
    expect(await createByEarlier(harness.connection, first)).toBe('id-taken');
    expect((await list(organization)).totalCount).toBe(2);
    await harness.connection.query("UPDATE tasks SET status = 'failed' WHERE id = $1", [first.id]);
    expect((await list(organization, { statuses: ['failed'] })).totalCount).toBe(1);
    await harness.connection.query('DELETE FROM tasks WHERE id = $1', [first.id]);
    expect((await list(organization)).totalCount).toBe(1);
    expect((await list(organization, { statuses: ['failed'] })).totalCount).toBe(0);
  });

  it('makes no writer wait for one that has not committed, not even to fold', async () => {
    const organization = randomUUID();
    await storedTask(harness, {}, organization);
    await harness.connection.transaction(async (query) => {
      const store = new PostgresTaskStore({ change: query } as PostgresConnection);
      await storedTask({ tasks: store }, {}, organization);
      await query('SELECT fold_task_counts($1)', [organization]);
      await storedTask(harness, {}, organization);
      await harness.connection.query('SELECT fold_task_counts($1)', [organization]);
      expect((await list(organization)).totalCount).toBe(2);
    }, TIMEOUT_MS);
    expect((await list(organization)).totalCount).toBe(3);
  });
});
