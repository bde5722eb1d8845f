import { PostgresExpiredAttachmentStore } from '../../src/outbound/postgres/postgres-expired-attachment-store';
import { migratedServer } from './migrated-server';
import { planOf, rowsOf, watched } from './query-plan';

const LIMIT = 50;

describe('expired attachments, in PostgreSQL', () => {
  const postgres = migratedServer(async (client) => {
    for (const [organization, count, at] of [
      ['greedy', 50_000, '2000-01-01Z'],
      ['modest', 3, '2001-01-01Z'],
    ]) {
      await client.query(
        `INSERT INTO tasks (id, organization, text, status, priority, metadata, created_at, created_by, updated_at, revision)
         VALUES ($1, $1, 'x', 'pending', 50, '{}', now(), 'ada', now(), 1)`,
        [organization],
      );
      await client.query(
        `INSERT INTO task_attachments (task_id, key, id, type, content, bytes, created_by, created_at, updated_at,
           expires_at, version, op_id, deleted)
         SELECT $1, n, 'ta-' || n, 'text', 'x', 1, 'ada', now(), now(), $3::timestamptz + n * interval '1 ms',
           2 * n, gen_random_uuid(), false
         FROM generate_series(1, $2::integer) AS n`,
        [organization, count, at],
      );
    }
    await client.query('VACUUM ANALYZE tasks, task_attachments');
  });

  it('are found in turn, and few others are read, however many of one organisation there are', async () => {
    const { connection: own, asked } = watched(postgres.connection);
    const found = await new PostgresExpiredAttachmentStore(own).find(Date.UTC(2002), LIMIT);
    expect(found.slice(0, 7).map(({ taskId, key }) => taskId + key)).toEqual([
      'greedy1',
      'modest1',
      'greedy2',
      'modest2',
      'greedy3',
      'modest3',
      'greedy4',
    ]);
    expect(found).toHaveLength(LIMIT);
    for (const statement of asked) {
      const nodes = await planOf(postgres.connection.query.bind(postgres.connection), statement);
      expect(rowsOf(nodes.filter((node) => node['Relation Name'] === 'task_attachments'))).toBeLessThan(4 * LIMIT);
    }
  });

  it('have the organisation of their task as long as they have a time to live', async () => {
    const organizations = async () =>
      postgres.connection.query(`SELECT organization FROM task_attachments WHERE task_id = 'modest' AND key = '1'`);
    expect(await organizations()).toEqual([{ organization: 'modest' }]);
    const update = (expiresAt: string) =>
      postgres.connection.query(
        `UPDATE task_attachments SET expires_at = ${expiresAt} WHERE task_id = 'modest' AND key = '1'`,
      );
    await update('NULL');
    expect(await organizations()).toEqual([{ organization: null }]);
    await update('now()');
    expect(await organizations()).toEqual([{ organization: 'modest' }]);
  });
});
