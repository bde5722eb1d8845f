import { randomUUID } from 'node:crypto';
import { laterVersion, previousVersion, removeVersion } from '../support/other-version';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { createOwnedDatabase, createRuntimeDatabase, grant, type RuntimeDatabase } from '../support/runtime-database';
import { launchService, runProgram, startService, type Environment, type Service } from '../support/service';
import { withPostgres, withRedis } from '../support/setups';

const PREVIOUS = previousVersion();
const UNAVAILABLE = { code: -32001, message: 'Service unavailable' };

let postgres: PostgresServer;
let redis: RedisServer;
let database: RuntimeDatabase;
/** Folders and processes that the tests have made. */
const folders: string[] = [];
const services: Service[] = [];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis({ appendOnly: true })]);
});
afterAll(async () => {
  await endAll();
  await Promise.all([postgres?.stop(), redis?.stop()]);
  for (const folder of folders) removeVersion(folder);
});

const keep = <T>(kept: T[], one: T): T => {
  kept.push(one);
  return one;
};
const endAll = async () => {
  for (const service of services.splice(0)) await service.kill();
};
const environment = (more: Environment): Environment => ({ REDIS_URL: redis.url, ...more });
const start = async (env: Environment, root?: string) => keep(services, await startService(environment(env), root));
const launch = async (env: Environment, root?: string) => keep(services, await launchService(environment(env), root));
const dossier = (args: readonly string[], root?: string) =>
  runProgram('dist/commands/dossier.js', args, { DATABASE_URL: database.ownerUrl }, root);
const linesOf = (service: Service, text: string) => service.logLines.filter((line) => line.includes(text));
const read = (service: Service, id: string) =>
  Promise.all([
    service.result('task.get', { id }),
    service.result('task.get_attachment', { taskId: id, key: 'a' }),
    service.result('task.list_attachments', { taskId: id }),
  ]);

/** What one replica does the other one finds done. Returns a task that stays, with what both say about it. */
async function exchange(one: Service, other: Service) {
  const [id, childId] = [randomUUID(), randomUUID()];
  await one.result('task.create', { id, text: 'x', priority: 3 });
  await other.result('task.create', { id: childId, parentId: id, text: 'below' });
  const put = (service: Service, key: string, value: unknown, more: object = {}) =>
    service.result<{ version: number; replaced: boolean }>('task.create_attachment', {
      taskId: id,
      key,
      type: 'json',
      value,
      ...more,
    });
  const { version } = await put(one, 'a', { from: 'one' });
  expect(await put(other, 'a', { from: 'other' }, { ifVersion: version })).toMatchObject({ replaced: true });
  await put(one, 'b', [1], { ttlSeconds: 3600 });
  await put(one, 'c', 3);
  await other.result('task.delete_attachment', { taskId: id, key: 'c' });
  expect(await one.error('task.get_attachment', { taskId: id, key: 'c' })).toMatchObject({ code: -32602 });
  await other.result('task.update', { id, updates: { status: 'in_progress', text: 'y' } });
  await one.result('task.complete', { id: childId, workerId: 'one', result: { done: true } });
  const seen = await read(one, id);
  await until('both say the same', async () => JSON.stringify(await read(other, id)) === JSON.stringify(seen));
  expect(seen).toMatchObject([{ status: 'in_progress', text: 'y' }, { value: { from: 'other' } }, { totalCount: 2 }]);

  const [rootId, leafId] = [randomUUID(), randomUUID()];
  await other.result('task.create', { id: rootId, text: 'root' });
  await one.result('task.create', { id: leafId, parentId: rootId, text: 'leaf' });
  await one.result('task.create_attachment', { taskId: leafId, key: 'k', type: 'text', content: 'x' });
  await other.result('task.delete', { id: rootId });
  expect(await one.error('task.get', { id: leafId })).toHaveProperty('code');
  return { id, seen };
}

describe(`the version before the last migration (${PREVIOUS.name}) and the present one`, () => {
  let folder: string;
  let earlier: Service;
  let present: Service;
  const kept: Awaited<ReturnType<typeof exchange>>[] = [];

  beforeAll(async () => {
    folder = keep(folders, PREVIOUS.build());
    database = await createOwnedDatabase(postgres);
    earlier = await start({ DATABASE_URL: database.ownerUrl, INSTANCE_ID: 'earlier' }, folder);
    kept.push(await exchange(earlier, earlier));
  });
  afterAll(() => endAll());

  const areKept = async (service: Service) => {
    for (const { id, seen } of kept) expect(await read(service, id)).toEqual(seen);
  };

  it('serve side by side, while and after the schema is brought forward', async () => {
    expect(await dossier(['migrate', 'up'])).toMatchObject({ code: 0, stderr: '' });
    kept.push(await exchange(earlier, earlier));
    await grant(database);
    present = await start({ DATABASE_URL: database.url, MIGRATE: 'off', INSTANCE_ID: 'present' });
    await areKept(present);
    kept.push(await exchange(earlier, present), await exchange(present, earlier));
    expect([(await earlier.fetch('/readyz')).status, (await present.fetch('/readyz')).status]).toEqual([200, 200]);
  });

  it('drain what either has journaled', async () => {
    const { id } = kept[0] as (typeof kept)[0];
    await postgres.kill();
    for (const [service, key] of [
      [earlier, 'of-earlier'],
      [present, 'of-present'],
    ] as const) {
      const put = () =>
        service
          .rpc('task.create_attachment', { taskId: id, key, type: 'text', content: key })
          .then(({ result }) => result);
      await until('it journals', async () => (await put())?.['degraded']);
    }
    await postgres.restart();
    for (const service of [earlier, present]) {
      await until('both have what was journaled', async () => {
        const { result } = await service.rpc('task.list_attachments', { taskId: id });
        return result?.['totalCount'] === 4 && !result['degraded'];
      });
    }
    await withRedis(redis.url, (client) => until('it is drained', async () => (await client.llen('cb:journal')) === 0));
    const seen = await until('PostgreSQL serves again', () => read(present, id).catch(() => undefined));
    kept[0] = { id, seen };
  });

  it('take the place of each other, forward and back, and nothing is lost', async () => {
    await earlier.stop();
    await areKept(present);
    kept.push(await exchange(present, present));
    earlier = await start({ DATABASE_URL: database.ownerUrl, INSTANCE_ID: 'earlier' }, folder);
    kept.push(await exchange(present, earlier));
    await present.stop();
    await areKept(earlier);
    kept.push(await exchange(earlier, earlier));
    await earlier.stop();
  });
});

describe('the present version and later ones', () => {
  const EXPAND = {
    '9999999999998-expand': 'CREATE TABLE of_a_later_release (id integer); INSERT INTO of_a_later_release VALUES (1)',
  };
  const CONTRACT = {
    ...EXPAND,
    '9999999999999-contract': `UPDATE schema_compatibility SET compatible_from = 9999999999999, first_release = '9.0.0'`,
  };
  const TO_MIGRATE = 'run `dossier migrate up`';
  const TOO_OLD = 'not ready: the schema needs release 9.0.0 or later';
  let expanded: string;
  let contracted: string;
  let present: Service;
  let later: Service[];

  beforeAll(async () => {
    [expanded, contracted] = [EXPAND, CONTRACT].map((migrations) => keep(folders, laterVersion(migrations))) as [
      string,
      string,
    ];
    database = await createRuntimeDatabase(postgres);
    await withRedis(redis.url, (client) => client.flushall());
    present = await start({ DATABASE_URL: database.url, INSTANCE_ID: 'present' });
  });

  it('a later version that may not migrate waits, says once what to run, and starts when it was run', async () => {
    later = await Promise.all(
      ['on', 'off'].map((MIGRATE) => launch({ DATABASE_URL: database.url, MIGRATE, INSTANCE_ID: MIGRATE }, expanded)),
    );
    for (const one of later) await until('it says why it waits', () => linesOf(one, TO_MIGRATE).length > 0);
    expect(linesOf(later[0] as Service, TO_MIGRATE)).toEqual([expect.stringContaining('may not change it: ')]);
    expect(linesOf(later[1] as Service, TO_MIGRATE)).toEqual([expect.stringContaining('MIGRATE is off')]);
    for (const one of later) {
      expect([(await one.fetch('/startupz')).status, (await one.fetch('/readyz')).status]).toEqual([503, 503]);
    }
    await exchange(present, present);

    expect(await dossier(['migrate', 'up'], expanded)).toEqual({
      code: 0,
      stdout: 'migrated: Expand9999999999998\n',
      stderr: '',
    });
    for (const one of later) {
      await one.until('/readyz', 200);
      expect(linesOf(one, TO_MIGRATE)).toHaveLength(1);
    }
  });

  it('a compatible schema of a later version is used by the present one', async () => {
    await exchange(present, later[0] as Service);
    await exchange(later[1] as Service, present);
    // Before the grants are run again.
    await withPostgres(database.url, (client) => client.query('SELECT FROM of_a_later_release'));
    const another = await start({ DATABASE_URL: database.url, INSTANCE_ID: 'another' });
    await exchange(another, later[0] as Service);
    await another.stop();
    expect((await present.fetch('/readyz')).status).toBe(200);
    expect(await dossier(['migrate', 'up'])).toEqual({ code: 0, stdout: 'up: nothing left to do\n', stderr: '' });
  });

  it('a replica that runs notices an incompatible schema, says so once, and writes nothing to any store', async () => {
    await present.result('task.create', { id: 'known', text: 'x' });
    expect(await dossier(['migrate', 'up'], contracted)).toMatchObject({ code: 0, stderr: '' });
    const older = [present, ...later];
    for (const one of older) {
      await one.until('/readyz', 503);
      const put = { taskId: 'known', key: 'k', type: 'text', content: 'x' };
      expect(await one.error('task.create_attachment', put)).toMatchObject(UNAVAILABLE);
      expect(await one.error('task.get', { id: 'known' })).toMatchObject(UNAVAILABLE);
    }
    const newest = await start({ DATABASE_URL: database.url, MIGRATE: 'off', INSTANCE_ID: 'newest' }, contracted);
    expect(await newest.result('task.list_attachments', { taskId: 'known' })).toMatchObject({ totalCount: 0 });
    await exchange(newest, newest);
    for (const one of older) expect(linesOf(one, TOO_OLD)).toHaveLength(1);
    expect(await withRedis(redis.url, (client) => client.llen('cb:journal'))).toBe(0);
  });

  it('a replica that starts on it does not become ready, and its commands refuse in one line', async () => {
    const one = await launch({ DATABASE_URL: database.ownerUrl, INSTANCE_ID: 'again' });
    await until('it says why', () => linesOf(one, TOO_OLD).length > 0);
    expect([(await one.fetch('/livez')).status, (await one.fetch('/readyz')).status]).toEqual([200, 503]);
    await endAll();
    const refused = (stderr: RegExp) => ({ code: 1, stdout: '', stderr: expect.stringMatching(stderr) as unknown });
    expect(await dossier(['migrate', 'up'])).toEqual(refused(/^migrate: the schema needs release 9\.0\.0 .*\n$/));
    const down = await until('the sessions of the replicas have ended', async () => {
      const exit = await dossier(['migrate', 'down', '--yes-delete-everything']);
      return !exit.stderr.includes('stop it first') && exit;
    });
    expect(down).toEqual(refused(/^migrate: the schema is that of a later release.*Expand9999999999998.*\n$/));
    expect(linesOf(one, TOO_OLD)).toHaveLength(1);
  });
});
