import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { until } from '../support/poll';
import { openOnServers, type Setup } from '../support/setups';

/** Longer than any limit that a call has. */
const STOPPED_MS = 7000;
/** More failures in a row than a breaker allows. */
const CALLS = 8;

describe('a replica that was stopped for seconds', () => {
  let setup: Setup;
  beforeAll(async () => {
    setup = await openOnServers();
  });
  afterAll(() => setup?.close());

  it('takes the replies that came meanwhile, and goes on with both stores', async () => {
    const { service, servers } = setup;
    const taskId = (await service.result('task.create', { text: 'x' }))['id'];
    const create = (key: string) =>
      service.result('task.create_attachment', { taskId, key, type: 'text', content: 'x' });
    const database = new Client({ connectionString: servers?.databaseUrl });
    await database.connect();
    try {
      await database.query('BEGIN');
      await database.query('SELECT pg_advisory_xact_lock(task_lock($1))', [taskId]);
      const calls = Promise.all(Array.from({ length: CALLS }, (_, i) => create(`k-${i}`)));
      await until('all calls wait in PostgreSQL', async () => {
        const { rows } = await database.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
        return rows.length >= CALLS;
      });
      service.pause();
      await database.query('COMMIT');
      await sleep(STOPPED_MS);
      service.resume();

      for (const result of await calls) expect(result).not.toHaveProperty('degraded');
      const { text } = await service.fetch('/metrics');
      const breakers = text.split('\n').filter((line) => line.startsWith('dossier_breaker_open{'));
      expect(breakers.length).toBeGreaterThan(0);
      expect(breakers.filter((line) => !line.endsWith(' 0'))).toEqual([]);
      expect(await create('after')).not.toHaveProperty('degraded');
    } finally {
      await database.end();
    }
  });
});
