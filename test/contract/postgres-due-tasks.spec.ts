import type { Client } from 'pg';
import { PostgresDueTaskStore } from '../../src/outbound/postgres/postgres-due-task-store';
import { withPostgres } from '../support/setups';
import { migratedServer } from './migrated-server';
import { planOf, rowsOf, watched } from './query-plan';

describe('expired tasks in PostgreSQL', () => {
  const postgres = migratedServer();

  const expired = (client: Client, organization: string, count: number, at: string) =>
    client.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, created_at, created_by, updated_at,
         revision, expires_at)
       SELECT $1 || n, $1, 'x', 'pending', 50, '{}', now(), 'ada', now(), 1, $3::timestamptz + n * interval '1 ms'
       FROM generate_series(1, $2::integer) AS n`,
      [organization, count, at],
    );

  it('are found in turn, and few others are read, however many tasks of one organisation have expired', async () => {
    await withPostgres(postgres.url, async (client) => {
      // Without the triggers, which count tasks.
      await client.query('SET session_replication_role = replica');
      await expired(client, 'greedy', 100_000, '2000-01-01Z');
      await expired(client, 'modest', 3, '2001-01-01Z');
      await client.query('VACUUM ANALYZE tasks');
    });
    const { connection: own, asked } = watched(postgres.connection);
    const found = await new PostgresDueTaskStore(own).expired(Date.UTC(2002), 50);
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
    for (const statement of asked) {
      const nodes = await planOf(postgres.connection.query.bind(postgres.connection), statement);
      expect(rowsOf(nodes.filter((node) => node['Relation Name'] === 'tasks'))).toBeLessThan(200);
    }
  });

  it('are found in turn also if there are more organisations than are looked at together', async () => {
    await withPostgres(postgres.url, async (client) => {
      await client.query('SET session_replication_role = replica');
      for (let i = 0; i < 1500; i++) await expired(client, `patient-${i}-`, 1, '2100-01-01Z');
      await expired(client, 'zealous', 2, '2001-01-01Z');
    });
    const store = new PostgresDueTaskStore(postgres.connection);
    const [first, second, third] = [await next(store), await next(store), await next(store)];
    expect(first.slice(0, 3)).toEqual(['greedy1', 'modest1', 'greedy2']);
    expect(second.slice(0, 3)).toEqual(['zealous1', 'zealous2', 'greedy1']);
    expect(third).toEqual(first);
    for (const ids of [first, second]) expect(new Set(ids).size).toBe(50);
  });

  async function next(store: PostgresDueTaskStore): Promise<string[]> {
    return (await store.expired(Date.UTC(2002), 50)).map(({ taskId }) => taskId);
  }
});
