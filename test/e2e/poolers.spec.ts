import { startPgBouncer, type PgBouncer } from '../support/pgbouncer';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { launchService, runProgram, startService, type Service } from '../support/service';
import { withPostgres } from '../support/setups';

describe('a replica whose PostgreSQL is behind PgBouncer', () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let pooler: PgBouncer | undefined;
  let service: Service | undefined;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis({ appendOnly: true })]);
  });
  afterEach(async () => {
    await service?.kill();
    service = undefined;
    await pooler?.stop();
  });
  afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

  const line = (text: string) => (one: string) => one.includes(text);

  it.each([['alone'], ['with DATABASE_DIRECT_URL']])('serves in session mode, %s', async (how) => {
    pooler = await startPgBouncer(postgres);
    const directUrl = await postgres.createDatabase();
    service = await startService({
      DATABASE_URL: pooler.through(directUrl),
      ...(how === 'alone' ? {} : { DATABASE_DIRECT_URL: directUrl }),
      REDIS_URL: redis.url,
      REDIS_PREFIX: `${how.length}:`,
    });
    const { id: taskId } = await service.result('task.create', { text: 'pooled' });
    const attachment = { taskId, key: 'a', type: 'text', content: 'x' };
    const replica = service;
    const create = (key: string) => replica.result('task.create_attachment', { ...attachment, key });
    await Promise.all(Array.from({ length: 40 }, (_, i) => create(`k${i}`)));
    expect(await service.result('task.list_attachments', { taskId })).toMatchObject({ totalCount: 40 });
    await service.until('/readyz', 200);
    await until('the events are published', () =>
      withPostgres(directUrl, async (client) => {
        const { rows } = await client.query<{ ofThePublisher: number }>(
          `SELECT count(*)::int AS "ofThePublisher" FROM pg_stat_activity JOIN pg_locks USING (pid)
          WHERE locktype = 'advisory' AND datname = current_database() AND application_name = 'dossier publisher'`,
        );
        return rows[0]?.ofThePublisher === 1;
      }),
    );
    expect(await service.stop()).toBe(0);
  });

  it('is not ready in transaction mode, says why in one line, and writes nothing', async () => {
    pooler = await startPgBouncer(postgres, { pool_mode: 'transaction' });
    const directUrl = await postgres.createDatabase();
    const environment = { DATABASE_URL: pooler.through(directUrl), REDIS_URL: redis.url, REDIS_PREFIX: 'pooled:' };
    service = await launchService(environment);
    const reason = 'DATABASE_URL leads to a pooler that takes sessions away after each transaction';
    await until('it says why', () => service?.logLines.some(line(reason)));
    expect((await service.fetch('/startupz')).status).toBe(503);
    expect((await service.fetch('/readyz')).status).toBe(503);
    for (const words of ['migrate up', 'new-epoch', 'adopt-redis --yes', 'nats off']) {
      const { code, stderr } = await runProgram('dist/commands/dossier.js', words.split(' '), environment);
      const lines = stderr.trim().split('\n');
      expect({ words, code, lines }).toEqual({ words, code: 1, lines: [expect.stringContaining(reason)] });
    }
    // The start says it, and what asks each server for its health does: each once.
    const contexts = service.logLines
      .filter(line(reason))
      .map((one) => (JSON.parse(one) as { context: string }).context);
    expect(contexts).toEqual([...new Set(contexts)]);
    await withPostgres(directUrl, async (client) => {
      const { rows } = await client.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace");
      expect(rows).toEqual([]);
    });
  });
});
