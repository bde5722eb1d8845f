import type { CountedTask, TaskListQuery } from '../../src/core/ports/task-store';
import { PostgresTaskStore } from '../../src/outbound/postgres/postgres-task-store';
import { TIMEOUT_MS } from './attachment-store.harness';
import { migratedServer } from './migrated-server';
import { blocksOf, planOf, plansOf, rowsOf, watched } from './query-plan';

const SUB_TASKS = 20_000;
const ORDERS = ['createdAt', 'updatedAt', 'priority'] as const;

describe('a page of task.list, in PostgreSQL', () => {
  const postgres = migratedServer(async (client) => {
    // Without the triggers, which count tasks. The priorities go through the table in no order.
    await client.query('SET session_replication_role = replica');
    await client.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, created_at, created_by,
         updated_at, revision)
       SELECT 'sub-' || lpad(n::text, 5, '0'), 'acme', 'x', 'pending', n * 37 % 101, '{}', 'root',
         '2025-11-21T08:00:00Z'::timestamptz + n * interval '1 ms', 'ada',
         '2025-11-21T08:00:00Z'::timestamptz + n * 7919 % 20011 * interval '1 ms', 1
       FROM generate_series(1, $1::integer) AS n`,
      [SUB_TASKS],
    );
    await client.query('VACUUM ANALYZE tasks');
  });

  const list = (
    orderBy: (typeof ORDERS)[number],
    { descending = false, parentId = undefined as string | undefined, offset = 15_000, on = postgres.connection } = {},
  ) =>
    new PostgresTaskStore(on).list(
      { organization: 'acme', parentId, orderBy, descending, limit: 20, offset, nowMs: Date.now() },
      TIMEOUT_MS,
    );
  const numberOf = ({ task }: CountedTask) => Number(task.id.slice(4));
  const RANKS = {
    createdAt: (n: number) => n,
    updatedAt: (n: number) => (n * 7919) % 20011,
    priority: (n: number) => (n * 37) % 101,
  };

  it.each(ORDERS.flatMap((order) => [false, true].map((descending) => [order, descending] as const)))(
    'far behind the first one, has the tasks that come next by %s (descending: %s)',
    async (orderBy, descending) => {
      const rank = RANKS[orderBy];
      const sorted = Array.from({ length: SUB_TASKS }, (_, i) => i + 1).sort((a, b) => rank(a) - rank(b) || a - b);
      if (descending) sorted.reverse();
      for (const offset of [999, 1000, 15_000, SUB_TASKS - 5]) {
        const { tasks, totalCount } = await list(orderBy, { descending, parentId: 'root', offset });
        expect(tasks.map(numberOf)).toEqual(sorted.slice(offset, offset + 20));
        expect(totalCount).toBe(SUB_TASKS);
      }
    },
  );

  it.each([['priority', 'root'], ...ORDERS.map((order) => [order, undefined] as const)] as const)(
    'far behind the first one, does not read the tasks before it by %s, below %s',
    async (orderBy, parentId) => {
      const { connection: own, asked } = watched(postgres.connection);
      await list(orderBy, { parentId, on: own });
      const nodes = await planOf(postgres.connection.query.bind(postgres.connection), asked[0] as (typeof asked)[0]);
      // From the table itself.
      const read = nodes.filter((node) => node['Relation Name'] === 'tasks' && node['Node Type'] !== 'Index Only Scan');
      // The sub-tasks of a task are counted.
      const counted = parentId === undefined ? 0 : SUB_TASKS;
      expect(rowsOf(read)).toBeLessThanOrEqual(counted + 20);
    },
  );

  it.each<[string, Partial<TaskListQuery>]>([
    ['of all tasks', {}],
    ['of tasks without a parent', { parentId: null }],
    ['by status', { statuses: ['pending'] }],
  ])('near the first one, %s, is not planned again at each call', async (_, filter) => {
    const { connection: own, asked } = watched(postgres.connection);
    for (let offset = 0; offset < 10; offset++) {
      const page = { organization: 'acme', descending: false, limit: 10 + offset, offset, nowMs: Date.now() };
      await new PostgresTaskStore(own).list({ orderBy: 'updatedAt', ...page, ...filter }, TIMEOUT_MS);
    }
    const { made, kept } = await plansOf(
      postgres.connection.query.bind(postgres.connection),
      asked[0] as (typeof asked)[0],
    );
    expect(made).toBeLessThanOrEqual(5);
    expect(kept).toBeGreaterThanOrEqual(5);
  });
});

describe('a page of task.list of few tasks among many, in PostgreSQL', () => {
  const postgres = migratedServer(async (client) => {
    await client.query('SET session_replication_role = replica');
    // Twenty parents, workers and priorities with a thousand tasks each, and one of each that has two.
    await client.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, parent_id, assigned_to, created_at,
         created_by, updated_at, revision)
       SELECT 'task-' || n, 'acme', 'x', 'pending', CASE WHEN n <= 2 THEN 100 ELSE n % 20 END, '{}',
         CASE WHEN n <= 2 THEN 'small' ELSE 'large-' || n % 20 END,
         CASE WHEN n <= 2 THEN 'rare' ELSE 'busy-' || n % 20 END,
         '2025-11-21T08:00:00Z'::timestamptz + n * interval '1 ms', 'ada',
         '2025-11-21T08:00:00Z'::timestamptz + n * 7919 % 20011 * interval '1 ms', 1
       FROM generate_series(1, 20002) AS n`,
    );
    await client.query('VACUUM ANALYZE tasks');
  });

  it.each(
    ORDERS.flatMap((order) =>
      [{ parentId: 'small' }, { assignedTo: 'rare' }, { priority: 100 }].map((of) => [order, of] as const),
    ),
  )('by %s, of %j, does not read the others, also after many calls', async (orderBy, filter) => {
    const { connection: own, asked } = watched(postgres.connection);
    const page = { organization: 'acme', orderBy, descending: false, limit: 20, offset: 0, nowMs: Date.now() };
    const list = () => new PostgresTaskStore(own).list({ ...page, ...filter }, TIMEOUT_MS);
    for (let i = 0; i < 10; i++) expect((await list()).tasks).toHaveLength(2);
    const query = postgres.connection.query.bind(postgres.connection);
    expect(await blocksOf(query, asked[0] as (typeof asked)[0])).toBeLessThan(100);
    const { kept } = await plansOf(query, asked[0] as (typeof asked)[0]);
    expect(kept).toBe(0);
  });
});
