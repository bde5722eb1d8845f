import type { AttachmentListQuery } from '../../src/core/ports/attachment-store';
import { PostgresAttachmentStore } from '../../src/outbound/postgres/postgres-attachment-store';
import { TIMEOUT_MS } from './attachment-store.harness';
import { migratedServer } from './migrated-server';
import { planOf, plansOf, rowsOf, watched } from './query-plan';

const ATTACHMENTS = 10_000;
const LIMIT = 20;

describe('a page of the attachments of a large task, in PostgreSQL', () => {
  const postgres = migratedServer(async (client) => {
    await client.query('SET session_replication_role = replica');
    await client.query(
      `INSERT INTO tasks (id, organization, text, status, priority, metadata, created_at, created_by, updated_at,
         revision, attachment_count)
       VALUES ('large', 'acme', 'x', 'pending', 0, '{}', now(), 'ada', now(), 1, $1::integer)`,
      [ATTACHMENTS],
    );
    // Every tenth is of another type. The keys are created in no order.
    await client.query(
      `INSERT INTO task_attachments (task_id, key, id, type, content, bytes, created_by, created_at, updated_at,
         version, op_id, deleted)
       SELECT 'large', 'key-' || lpad((n * 37 % 10007)::text, 5, '0'), 'ta-' || n,
         CASE n % 10 WHEN 0 THEN 'markdown' ELSE 'text' END, repeat('x', 1000), 1000, 'ada',
         '2025-11-21T08:00:00Z'::timestamptz + n * interval '1 ms', now(), n, gen_random_uuid(), false
       FROM generate_series(1, $1::integer) AS n`,
      [ATTACHMENTS],
    );
    await client.query('VACUUM ANALYZE task_attachments');
  });

  const numbers = Array.from({ length: ATTACHMENTS }, (_, i) => i + 1);
  const keyOf = (n: number) => `key-${String((n * 37) % 10007).padStart(5, '0')}`;
  const query = (more: Partial<AttachmentListQuery>): AttachmentListQuery => ({
    taskId: 'large',
    organization: 'acme',
    keyPrefix: '',
    limit: LIMIT,
    offset: 0,
    descending: false,
    includeBodies: true,
    nowMs: Date.now(),
    ...more,
  });
  const PAGES: [string, Partial<AttachmentListQuery>, (n: number) => boolean][] = [
    ['far behind the first one', { offset: 9000 }, () => true],
    ['of a common type, far behind the first one', { type: 'text', offset: 8000 }, (n) => n % 10 > 0],
    ['of a rare type', { type: 'markdown', descending: true }, (n) => n % 10 === 0],
    ['of a common prefix', { keyPrefix: 'key-0', offset: 9000 }, (n) => keyOf(n).startsWith('key-0')],
    ['of a common prefix and type', { keyPrefix: 'key-0', type: 'text' }, (n) => keyOf(n) < 'key-1' && n % 10 > 0],
    ['of a rare prefix', { keyPrefix: 'key-001' }, (n) => keyOf(n).startsWith('key-001')],
  ];

  it.each(PAGES)('%s, has the attachments that come next, and the total', async (_, filter, isMatching) => {
    const { offset = 0, descending } = filter;
    const matching = numbers.filter(isMatching);
    if (descending) matching.reverse();
    const page = await new PostgresAttachmentStore(postgres.connection).list(query(filter), TIMEOUT_MS);
    expect(page?.attachments.map(({ key }) => key)).toEqual(matching.slice(offset, offset + LIMIT).map(keyOf));
    expect(page?.totalCount).toBe(matching.length);
  });

  it.each(PAGES)('%s, is read from the table without the others', async (_, filter) => {
    const { connection: own, asked } = watched(postgres.connection);
    await new PostgresAttachmentStore(own).list(query(filter), TIMEOUT_MS);
    const nodes = await planOf(postgres.connection.query.bind(postgres.connection), asked[0] as (typeof asked)[0]);
    const read = nodes.filter(
      (node) => node['Relation Name'] === 'task_attachments' && node['Node Type'] !== 'Index Only Scan',
    );
    // A prefix that few keys have may be looked for in the primary key, twice.
    expect(rowsOf(read)).toBeLessThanOrEqual(LIMIT + 2 * 100);
  });

  it.each(PAGES)('%s, is not planned again at each call', async (_, filter) => {
    const { connection: own, asked } = watched(postgres.connection);
    for (let offset = 0; offset < 10; offset++) {
      await new PostgresAttachmentStore(own).list(query({ ...filter, offset, limit: 10 + offset }), TIMEOUT_MS);
    }
    const { made, kept } = await plansOf(
      postgres.connection.query.bind(postgres.connection),
      asked[0] as (typeof asked)[0],
    );
    expect(made).toBeLessThanOrEqual(5);
    expect(kept).toBeGreaterThanOrEqual(5);
  });
});
