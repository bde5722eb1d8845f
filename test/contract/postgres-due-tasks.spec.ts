import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { PostgresDueTaskStore } from '../../src/outbound/postgres/postgres-due-task-store';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { withPostgres } from '../support/setups';

interface PlanNode {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

const rowsReadBy = (node: PlanNode): number =>
  (node['Relation Name'] === 'tasks' ? node['Actual Rows'] * node['Actual Loops'] : 0) +
  (node.Plans ?? []).reduce((sum, child) => sum + rowsReadBy(child), 0);

describe('expired tasks in PostgreSQL', () => {
  let server: PostgresServer;
  let connection: PostgresConnection;
  beforeAll(async () => {
    server = await startPostgres();
    await runMigrations(serverDatabase({ url: server.url, poolSize: 1 }));
    connection = new PostgresConnection(serverDatabase({ url: server.url, poolSize: 1 }));
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });

  it('are found in turn, and few others are read, however many tasks of one organisation have expired', async () => {
    await withPostgres(server.url, async (client) => {
      // Without the triggers, which count tasks.
      await client.query('SET session_replication_role = replica');
      const expired = (organization: string, count: number, at: string) =>
        client.query(
          `INSERT INTO tasks (id, organization, text, status, priority, metadata, created_at, created_by, updated_at,
             revision, expires_at)
           SELECT $1 || n, $1, 'x', 'pending', 50, '{}', now(), 'ada', now(), 1, $3::timestamptz + n * interval '1 ms'
           FROM generate_series(1, $2::integer) AS n`,
          [organization, count, at],
        );
      await expired('greedy', 100_000, '2000-01-01Z');
      await expired('modest', 3, '2001-01-01Z');
      await client.query('VACUUM ANALYZE tasks');
    });
    const asked: [string, readonly unknown[] | undefined][] = [];
    const query: PostgresConnection['query'] = (text, values) => {
      asked.push([text, values]);
      return connection.query(text, values);
    };
    const found = await new PostgresDueTaskStore({ query } as PostgresConnection).expired(Date.UTC(2002), 50);
    expect(found.slice(0, 7).map(({ taskId }) => taskId)).toEqual([
      'greedy1',
      'modest1',
      'greedy2',
      'modest2',
      'greedy3',
      'modest3',
      'greedy4',
    ]);
    expect(found).toHaveLength(50);
    type Row = { 'QUERY PLAN': [{ Plan: PlanNode }] };
    for (const [text, values] of asked) {
      const [row] = await connection.query<Row>(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values);
      expect(rowsReadBy((row as Row)['QUERY PLAN'][0].Plan)).toBeLessThan(200);
    }
  });
});
