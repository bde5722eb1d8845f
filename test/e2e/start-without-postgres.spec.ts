import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy';
import { until } from '../support/poll';
import { launchService, startService, type Service } from '../support/service';
import { openOnServers, untilCached, withPostgres, withRedis, type Servers, type Setup } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';

const UNAVAILABLE = { code: -32001, message: 'Service unavailable' };
/** The advisory lock of the migrations. */
const MIGRATION_LOCK = '7234017283807667300';

let setup: Setup;
let servers: Servers;

beforeAll(async () => {
  setup = await openOnServers();
  servers = setup.servers as Servers;
  await setup.service.result('task.create', { id: 't', text: 'x' });
  for (const key of ['a', 'b']) await put(setup.service, key, 'before');
  await untilCached(setup.service, servers.redis.url, 't');
  await setup.service.stop();
});
afterAll(() => setup?.close());

const put = (service: Service, key: string, value: string) =>
  service.result<WireAttachment>('task.create_attachment', { taskId: 't', key, type: 'json', value });
const get = (service: Service, key: string) => service.result('task.get_attachment', { taskId: 't', key });
const list = (service: Service) => service.result<WireAttachmentPage>('task.list_attachments', { taskId: 't' });
const on = (port: number) => {
  const url = new URL(servers.databaseUrl);
  url.port = String(port);
  return { ...setup.environment, DATABASE_URL: url.href };
};
const readiness = async (service: Service) => {
  const { status, text } = await service.fetch('/readyz');
  const { details } = JSON.parse(text) as { details: Record<string, { state?: string }> };
  return [status, details['postgres']?.state, details['redis']?.state];
};
const warningsOf = (service: Service) => service.logLines.filter((line) => line.includes('cannot migrate yet'));

describe('a replica that starts while PostgreSQL is unavailable', () => {
  let toPostgres: FaultProxy;
  let service: Service;
  /** Versions of the writes that were acknowledged meanwhile, by key. */
  const written = new Map<string, number>();

  beforeAll(async () => {
    toPostgres = await startFaultProxy(servers.postgres.port);
    // Redis remembers under which address PostgreSQL was reached.
    const before = await startService(on(toPostgres.port));
    await before.stop();
    toPostgres.silence('both');
    service = await startService(on(toPostgres.port));
  });
  afterAll(async () => {
    await service?.kill();
    await toPostgres?.close();
  });

  const write = async (key: string, value: string) => {
    const { version, ...rest } = await put(service, key, value);
    expect(rest).toMatchObject({ degraded: true });
    written.set(key, version);
  };

  it('is ready, returns what Redis knows, and accepts writes', async () => {
    await service.until('/readyz', 200);
    expect(await readiness(service)).toEqual([200, 'down', 'up']);
    expect(await get(service, 'b')).toMatchObject({ value: 'before', degraded: true });
    await write('a', 'journaled');
    expect(await get(service, 'a')).toMatchObject({ value: 'journaled', version: written.get('a') });
    expect(await list(service)).toMatchObject({ totalCount: 2, degraded: true });
    expect(await service.error('task.get_attachment', { taskId: 't', key: 'c' })).toMatchObject(UNAVAILABLE);
    expect(await service.error('task.get', { id: 't' })).toMatchObject(UNAVAILABLE);
    await until('the metrics tell what waits', async () => {
      const { text } = await service.fetch('/metrics');
      return text.includes('\ndossier_journal_waiting 1\n');
    });
  });

  it('does not use the database, once it is back, until its schema is up to date', async () => {
    await withPostgres(servers.databaseUrl, async (client) => {
      await client.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
      await client.query('ALTER TABLE dossier_migrations RENAME TO not_yet');
      toPostgres.pass();
      await until('it waits for its turn to migrate', async () => {
        const { rowCount } = await client.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
        return rowCount === 1;
      });
      expect(await readiness(service)).toEqual([200, 'down', 'up']);
      await write('c', 'journaled');
      expect(await get(service, 'b')).toMatchObject({ value: 'before', degraded: true });
      expect(await service.error('task.get_attachment', { taskId: 't', key: 'd' })).toMatchObject(UNAVAILABLE);
      await client.query('ALTER TABLE not_yet RENAME TO dossier_migrations');
    });
  });

  it('then uses the database, and stores and announces the journaled writes', async () => {
    await until('PostgreSQL is up', async () => (await readiness(service))[1] === 'up');
    await withRedis(servers.redis.url, (redis) =>
      until('the journal is drained', async () => (await redis.llen('cb:journal')) === 0),
    );
    await withPostgres(servers.databaseUrl, async (client) => {
      const stored = await client.query<{ key: string; version: string }>(
        `SELECT key, version FROM task_attachments WHERE key <> 'b'`,
      );
      expect(new Map(stored.rows.map(({ key, version }) => [key, Number(version)]))).toEqual(written);
      const { rowCount } = await client.query(`SELECT FROM outbox WHERE key = 'c'`);
      expect(rowCount).toBe(1);
    });
    const page = await until('nothing is degraded', async () => {
      const answer = await list(service);
      return !answer.degraded && answer;
    });
    expect(page.attachments.map(({ key, version }) => [key, version])).toEqual(
      expect.arrayContaining([...written]) as unknown,
    );
    expect(await put(service, 'a', 'after')).not.toHaveProperty('degraded');
    expect(await get(service, 'a')).toMatchObject({ value: 'after' });
  });
});

it('a replica that cannot migrate, at an address that none has used, is not ready, logs this once, and stops in order', async () => {
  let attempts = 0;
  const hangingUp = createServer((socket) => {
    attempts += 1;
    socket.on('error', () => undefined).once('data', () => socket.end());
  }).listen(0, '127.0.0.1');
  await once(hangingUp, 'listening');
  const service = await launchService(on((hangingUp.address() as AddressInfo).port));
  try {
    const reasons = () => service.logLines.filter((line) => line.includes('no replica with this DATABASE_URL'));
    await until('it says why it is not ready', () => reasons().length > 0);
    const attemptsBefore = attempts;
    await until('it has tried again', () => attempts >= attemptsBefore + 4);
    expect((await service.fetch('/startupz')).status).toBe(503);
    expect((await service.fetch('/readyz')).status).toBe(503);
    expect(warningsOf(service)).toEqual([expect.not.stringContaining('serving without PostgreSQL')]);
    expect(reasons()).toHaveLength(1);
    expect(await service.stop()).toBe(0);
  } finally {
    await service.kill();
    hangingUp.close();
  }
});

it('a replica whose database does not exist on the server does not complete its start', async () => {
  const environment = { ...setup.environment, DATABASE_URL: `${servers.databaseUrl}_unknown` };
  const service = await launchService(environment);
  try {
    await until('it has tried', () => warningsOf(service).length > 0);
    expect((await service.fetch('/startupz')).status).toBe(503);
    expect((await service.fetch('/readyz')).status).toBe(503);
  } finally {
    await service.kill();
  }
});

describe('a replica whose DATABASE_URL cannot work is not ready, and names the cause in one line:', () => {
  const change = (change: (url: URL) => void) => {
    const url = new URL(servers.databaseUrl);
    change(url);
    return url.href;
  };

  it.each<[string, RegExp, () => string]>([
    ['a wrong host', /getaddrinfo \w+ nowhere\.invalid/, () => change((url) => (url.hostname = 'nowhere.invalid'))],
    [
      'sslmode=require against a server without TLS',
      /The server does not support SSL connections/,
      () => change((url) => (url.search = '?sslmode=require')),
    ],
    [
      'a role that has all the connections it may have',
      /too many connections for role/,
      () => change((url) => (url.username = 'limited')),
    ],
  ])('%s', async (_, cause, databaseUrl) => {
    const createRole = `
      DO $$ BEGIN CREATE ROLE limited LOGIN CONNECTION LIMIT 0; EXCEPTION WHEN duplicate_object THEN NULL; END $$`;
    await withPostgres(servers.databaseUrl, (client) => client.query(createRole));
    const service = await launchService({ DATABASE_URL: databaseUrl() });
    try {
      await until('it has tried', () => warningsOf(service).length > 0);
      // It asks the server for its health, too, and both go on.
      await until('it has asked', () =>
        service.logLines.some((line) => /"ask postgres"/.test(line) && cause.test(line)),
      );
      expect(warningsOf(service)).toEqual([expect.stringMatching(cause)]);
      expect((await service.fetch('/startupz')).status).toBe(503);
      expect((await service.fetch('/readyz')).status).toBe(503);
    } finally {
      await service.kill();
    }
  });
});
