import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { startPostgres } from '../test/support/postgres-server';
import { markdownTable } from './report/markdown-table';
import { RpcClient } from './rpc-client';
import { ServerProcess } from './servers/server-process';
import { withClient } from './servers/with-client';
import { withServer } from './servers/with-servers';

/** By the length of a value. */
const ATTACHMENTS: Readonly<Record<number, number>> = { 100: 10_000, 1024: 10_000, 10_240: 2000 };
const ATTACHMENTS_PER_TASK = 5;
const CALLS_AT_ONCE = 100;

/** How many events the day has that is forgotten; `GROWTH_ROWS=10000000` measures one day of that size. */
const ROWS = process.env.GROWTH_ROWS ? [Number(process.env.GROWTH_ROWS)] : [10_000, 100_000, 1_000_000];
const ROWS_AT_ONCE = 100_000;
const WRITE_EVERY_MS = 2;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Measures the bytes that PostgreSQL needs for an attachment and its event, and how long a day of events takes to
 * forget.
 */
export async function measureGrowth(): Promise<string> {
  const sizes: string[][] = [];
  for (const bytes of Object.keys(ATTACHMENTS).map(Number)) sizes.push(await sizesFor(bytes));
  const purges: string[][] = [];
  for (const rows of ROWS) purges.push(await purgeOf(rows));
  return [
    '## Growth',
    markdownTable(['value', 'task', 'attachment', 'its indexes', 'event', 'its indexes', 'event waiting'], sizes),
    markdownTable(['events', 'MiB', 'forgotten, ms', 'files removed, ms', 'longest write meanwhile, ms'], purges),
  ].join('\n\n');
}

function sizesFor(bytes: number): Promise<string[]> {
  const attachments = ATTACHMENTS[bytes] as number;
  return withServer(startPostgres(), async (postgres) => {
    const service = await ServerProcess.service({ DATABASE_URL: postgres.url });
    try {
      await attach(service.rpcUrl, attachments, bytes);
    } finally {
      await service.stop();
    }
    return withClient(postgres.url, async (client) => {
      await client.query('VACUUM ANALYZE');
      type Row = Record<'task' | 'data' | 'data_indexes' | 'event' | 'event_indexes', number>;
      const { rows } = await client.query<Row>(
        `SELECT pg_total_relation_size('tasks') / (SELECT count(*) FROM tasks)::float AS task,
           pg_table_size('task_attachments') / $1::float AS data,
           pg_indexes_size('task_attachments') / $1::float AS data_indexes,
           pg_table_size('outbox_earlier') / (SELECT count(*) FROM outbox_history)::float AS event,
           pg_indexes_size('outbox_earlier') / (SELECT count(*) FROM outbox_history)::float AS event_indexes`,
        [attachments],
      );
      await client.query(
        `INSERT INTO outbox_waiting (seq, op_id, at, organization)
         SELECT seq + 1000000, op_id, at, organization FROM outbox_history ORDER BY seq`,
      );
      await client.query('VACUUM FULL outbox_waiting');
      const waiting = await client.query<{ size: number }>(
        `SELECT pg_total_relation_size('outbox_waiting') / count(*)::float AS size FROM outbox_waiting`,
      );
      const { task, data, data_indexes, event, event_indexes } = rows[0] as Row;
      const all = [task, data, data_indexes, event, event_indexes, (waiting.rows[0] as { size: number }).size];
      return [bytes, ...all].map((one) => Math.round(one).toLocaleString('en'));
    });
  });
}

async function attach(url: string, attachments: number, bytes: number): Promise<void> {
  const client = new RpcClient(url);
  const tasks = Array.from({ length: attachments / ATTACHMENTS_PER_TASK }, (_, i) => `task-${i}`);
  const calls = [
    ...tasks.map((id) => ({ method: 'task.create', params: { id, text: 'Measure the growth' } })),
    ...tasks.flatMap((taskId) =>
      Array.from({ length: ATTACHMENTS_PER_TASK }, (_, i) => {
        const content = randomBytes(bytes / 2).toString('hex');
        return { method: 'task.create_attachment', params: { taskId, key: `result-${i}`, type: 'text', content } };
      }),
    ),
  ];
  for (let i = 0; i < calls.length; i += CALLS_AT_ONCE) await client.callAll(calls.slice(i, i + CALLS_AT_ONCE));
}

/** Of a day with so many events, all published, while another session writes. */
function purgeOf(rows: number): Promise<string[]> {
  return withServer(startPostgres(), async (postgres) => {
    const environment = { ...process.env, DATABASE_URL: postgres.url };
    execFileSync(process.execPath, ['dist/commands/dossier.js', 'migrate'], { env: environment, stdio: 'ignore' });
    return withClient(postgres.url, async (client) => {
      for (let done = 0; done < rows; done += ROWS_AT_ONCE) await fill(client, Math.min(ROWS_AT_ONCE, rows - done));
      const size = await client.query<{ bytes: string }>(`SELECT pg_total_relation_size('outbox_earlier') AS bytes`);
      let isOver = false;
      const longest = withClient(postgres.url, (writer) => longestWriteUntil(writer, () => isOver));
      const { forgottenMs, removedMs } = await withClient(postgres.url, (reader) => purge(client, reader)).finally(
        () => (isOver = true),
      );
      const mebibytes = Number(size.rows[0]?.bytes) / 2 ** 20;
      return [rows, mebibytes, forgottenMs, removedMs, await longest].map((one) =>
        Math.round(one).toLocaleString('en'),
      );
    });
  });
}

interface Purge {
  /** Until no session sees the events any more. */
  readonly forgottenMs: number;
  /** Until the files are removed as well: PostgreSQL does it when all locks are released. */
  readonly removedMs: number;
}

/** Of the attempt that succeeds: one gives up if a vacuum that was due after the filling is at work. */
async function purge(client: Client, reader: Client): Promise<Purge> {
  for (;;) {
    const startedAtMs = performance.now();
    const sinceStart = () => performance.now() - startedAtMs;
    try {
      await client.query('BEGIN');
      await client.query(`SELECT purge_outbox(now() + interval '1 day', 1000)`);
      const removed = client.query('COMMIT').then(sinceStart);
      await reader.query('SELECT FROM outbox_history LIMIT 1');
      const forgottenMs = sinceStart();
      return { forgottenMs, removedMs: await removed };
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
      await client.query('ROLLBACK');
    }
  }
}

async function fill(client: Client, rows: number): Promise<void> {
  await client.query(
    `INSERT INTO outbox_history (op_id, task_id, key, version, organization, kind, event, unannounced)
     SELECT op, 'task-' || nth % 1000, 'result-' || nth, nth, 'acme', 'attachment', json_build_object(
       'type', 'task.attachment_created',
       'payload', json_build_object('taskId', 'task-' || nth % 1000, 'key', 'result-' || nth, 'type', 'text',
         'attachmentId', 'ta-1763683200000-abcdefghi', 'instanceId', 'replica-1', 'timestamp', 1763683200000),
       'metadata', json_build_object('eventId', op, 'version', nth, 'replaced', false), 'timestamp', 1763683200000), true
     FROM (SELECT nth, gen_random_uuid() AS op FROM generate_series(1, $1::integer) AS nth) AS ops`,
    [rows],
  );
}

/** In ms. */
async function longestWriteUntil(client: Client, isOver: () => boolean): Promise<number> {
  let longest = 0;
  do {
    const startedAtMs = performance.now();
    await client.query(
      `INSERT INTO outbox_history (op_id, task_id, kind, event, at)
       VALUES (gen_random_uuid(), 'task', 'task', '{}', now() + interval '1 day')`,
    );
    longest = Math.max(longest, performance.now() - startedAtMs);
    await new Promise((wake) => setTimeout(wake, WRITE_EVERY_MS));
  } while (!isOver());
  return longest;
}
