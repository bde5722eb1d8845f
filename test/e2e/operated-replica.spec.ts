import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/poll';
import { runProgram, type Environment, type Exit } from '../support/service';
import {
  INSTANCE_ID,
  openOnServers,
  untilCached,
  withPostgres,
  withRedis,
  type Servers,
  type Setup,
} from '../support/setups';
import type { WireAttachment } from '../support/wire-values';

const PROGRAM = 'dist/commands/dossier.js';
const [OPERATOR_KEY, CALLER_KEY] = ['operator-key', 'caller-key'];
const CALLER = { 'x-api-key': CALLER_KEY };
const OPERATOR = { 'x-operator-key': OPERATOR_KEY };
const LIMIT = 3;

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');

let folder: string;
let setup: Setup;
let operator: Environment;

/** With the settings of the service, as beside it in a container, or with those of an operator elsewhere. */
const dossier = (args: readonly string[], env: Environment = operator): Promise<Exit> => runProgram(PROGRAM, args, env);
const beside = (...args: string[]) => dossier(args, setup.environment);
const admin = async (path: string, init: RequestInit = {}) => {
  const { status, text } = await setup.service.fetch(`/admin/${path}`, { headers: OPERATOR, ...init });
  return { status, body: JSON.parse(text) as Record<string, unknown> };
};
const messages = () => setup.service.logLines.map((line) => (JSON.parse(line) as { msg: string }).msg);
const create = (id: string) => setup.service.result('task.create', { id, text: 'x' }, CALLER);
const put = (taskId: string, key: string, more: object = {}) =>
  setup.service.result('task.create_attachment', { taskId, key, type: 'text', content: 'true', ...more }, CALLER);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dossier-operators-'));
  const [operators, keys] = [join(folder, 'operators.json'), join(folder, 'keys.json')];
  writeFileSync(operators, JSON.stringify([{ id: 'o-1', name: 'olga', sha256: sha256(OPERATOR_KEY) }]));
  const caller = { id: 'c-1', name: 'agent', organization: 'acme', role: 'admin', sha256: sha256(CALLER_KEY) };
  writeFileSync(keys, JSON.stringify([caller]));
  setup = await openOnServers({
    OPERATOR_KEYS_FILE: operators,
    API_KEYS_FILE: keys,
    RETENTION_FINISHED_DAYS: '30',
    RATE_LIMITS: `task.list=${LIMIT}/1h`,
  });
  operator = { DOSSIER_URL: setup.service.url, DOSSIER_OPERATOR_KEY: OPERATOR_KEY };
});
afterAll(async () => {
  await setup?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the paths of operators', () => {
  it.each([
    ['no key', {}],
    ['a wrong one', { 'x-operator-key': 'wrong' }],
    ['the key of a caller who is an admin', { 'x-operator-key': CALLER_KEY, ...CALLER }],
    ['an operator key in the header of callers', { 'x-api-key': OPERATOR_KEY }],
  ])('are closed to %s', async (_, headers) => {
    for (const [method, path] of [
      ['GET', 'status'],
      ['GET', 'rate-limits'],
      ['PUT', 'log-level/debug'],
      ['DELETE', 'rate-limits?caller=key:c-1'],
    ]) {
      const reply = await admin(path as string, { method, headers });
      expect(reply).toEqual({ status: 401, body: { detail: 'Invalid or missing operator key' } });
    }
    const { text } = await setup.service.fetch('/metrics');
    expect(text).toMatch(/dossier_authentication_failures_total\{reason="(?:missing|wrong_key)"\} [1-9]/);
  });

  it('an operator is no caller', async () => {
    for (const headers of [OPERATOR, { 'x-api-key': OPERATOR_KEY }]) {
      expect(await setup.service.error('task.list', {}, headers)).toMatchObject({ data: { code: 'UNAUTHORIZED' } });
    }
  });

  it.each([
    ['PUT', 'log-level/loud', /^level must be one of trace, debug, info, warn, error$/],
    ['DELETE', 'rate-limits', /^caller is required$/],
    ['DELETE', 'rate-limits?caler=key:c-1', /^caler is not known: there are caller, method$/],
    ['DELETE', 'rate-limits?caller=a&caller=b', /^caller must be given once, and not be empty$/],
    ['DELETE', 'rate-limits?caller=a&method=task.get', /^method must be one that is limited here: .*task\.list/],
  ])('refuse what they do not know, and change nothing: %s %s', async (method, path, detail) => {
    expect(await admin(path, { method })).toEqual({
      status: 400,
      body: { detail: expect.stringMatching(detail) as string },
    });
  });
});

describe('dossier status', () => {
  it('says how the replica is, in one view, with no secret', async () => {
    await until('the cache is trusted', async () => {
      const { cache } = (await admin('status')).body as { cache: { isTrusted: boolean } };
      return cache.isTrusted;
    });
    const { code, stdout, stderr } = await dossier(['status', '--json']);
    expect([code, stderr]).toEqual([0, '']);
    const { replicas, differ } = JSON.parse(stdout) as {
      replicas: { status: { database: { id: string; epoch: string } } }[];
      differ: object;
    };
    const { status } = replicas[0] as { status: { database: { id: string; epoch: string } } };
    const { id: databaseId, epoch } = status.database;
    expect(differ).toEqual({});
    expect(status).toMatchObject({
      instanceId: INSTANCE_ID,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      ready: true,
      phase: 'started',
      standing: 'home',
      dependencies: { postgres: { state: 'up' }, redis: { state: 'up' }, nats: { state: 'embedded' } },
      breakersOpen: [],
      database: { schemaVersion: expect.any(Number) as number },
      cache: { isTrusted: true, owners: [{ databaseId, epoch }] },
      journal: { waiting: 0, deadLetters: 0, oldestSeconds: 0 },
      outbox: { unpublished: expect.any(Number) as number },
      isPublisher: true,
      settings: { retentionFinishedDays: 30, rateLimits: { 'task.list': `${LIMIT}/3600000ms` } },
    });
    for (const secret of [setup.environment['DATABASE_URL'], setup.environment['REDIS_URL'], OPERATOR_KEY]) {
      expect(stdout).not.toContain(secret);
    }
  });

  it('says what is not known while a server is unavailable', async () => {
    const { redis } = setup.servers as Servers;
    await redis.kill();
    const seen = await until('Redis is down, and the cache distrusted', async () => {
      const { body } = await admin('status');
      const { dependencies, cache } = body as {
        dependencies: { redis: { state: string } };
        cache: { isTrusted: boolean };
      };
      return dependencies.redis.state === 'down' && !cache.isTrusted && body;
    });
    await redis.restart();
    expect(seen).toMatchObject({ ready: true, journal: null, cache: { owners: null } });
    await until('Redis is up', async () => (await admin('status')).body['journal'] !== null);
  });

  it('fails with what is wrong, and shows the replicas that reply', async () => {
    const foreign: Server = createServer((request, response) => {
      response.writeHead(request.url?.startsWith('/earlier') ? 404 : 200).end('<html>');
    });
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve));
    const other = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`;
    try {
      const nowhere = 'http://127.0.0.1:9';
      const mixed = await dossier(['status', setup.service.url, nowhere]);
      expect([mixed.code, mixed.stdout]).toEqual([4, expect.stringContaining(`  instanceId: ${INSTANCE_ID}\n`)]);
      expect(mixed.stderr).toMatch(/^status: http:\/\/127\.0\.0\.1:9: .+\n$/);
      const refused = await dossier(['status', `${other}/earlier`, other]);
      expect([refused.code, refused.stdout]).toEqual([3, '']);
      expect(refused.stderr).toBe(
        `status: ${other}/earlier: lets no operator in: its OPERATOR_KEYS_FILE is not set, or it is of an earlier version\n` +
          `status: ${other}: status 200, and no reply of a replica\n`,
      );
      const wrong = await dossier(['log-level', 'info'], { ...operator, DOSSIER_OPERATOR_KEY: 'wrong' });
      expect([wrong.code, wrong.stderr]).toEqual([
        3,
        `log-level: ${setup.service.url}: does not take the operator key in DOSSIER_OPERATOR_KEY\n`,
      ]);
      expect(await dossier(['status'], {})).toMatchObject({
        code: 1,
        stderr: 'status: DOSSIER_OPERATOR_KEY is not set: a key of the OPERATOR_KEYS_FILE of the replica\n',
      });
    } finally {
      foreign.close();
    }
  });
});

it('dossier log-level changes the level of a running replica, which says who has done it', async () => {
  const changed = await dossier(['log-level', 'debug']);
  expect(changed).toMatchObject({
    code: 0,
    stdout: `${setup.service.url}: the level of the log was info, and is debug now\n`,
  });
  await create('logged');
  const line = (text: string) => until(text, () => messages().some((message) => message.startsWith(text)));
  await line('operator olga (o-1): the level of the log is debug now');
  await line('task.create over http: ok');
  expect((await admin('log-level/info', { method: 'PUT' })).body).toEqual({ before: 'debug', level: 'info' });
});

it('dossier rate-limits shows how far callers have come, and lets one begin anew', async () => {
  for (let i = 0; i <= LIMIT; i++) await setup.service.rpc('task.list', {}, CALLER);
  expect(await setup.service.error('task.list', {}, CALLER)).toMatchObject({ data: { code: 'RATE_LIMITED' } });
  const listed = await dossier(['rate-limits', 'list']);
  expect([listed.code, listed.stdout]).toEqual([
    0,
    expect.stringMatching(new RegExp(`^key:c-1 {2}task\\.list {2}${LIMIT + 2} of ${LIMIT}, refused, for \\d+ s\n$`)),
  ]);
  expect((await admin('rate-limits?caller=key:other')).body).toEqual({ windows: [] });

  const asked = await dossier(['rate-limits', 'reset', 'key:c-1']);
  expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('Nothing was done: add --yes')]);
  expect(await setup.service.error('task.list', {}, CALLER)).toMatchObject({ data: { code: 'RATE_LIMITED' } });
  const done = await dossier(['rate-limits', 'reset', 'key:c-1', '--method', 'task.list', '--yes']);
  expect([done.code, done.stdout]).toEqual([0, 'reset: task.list\n']);
  expect(messages()).toContain('operator olga (o-1): has reset the rate limits of "key:c-1" for task.list');
  await setup.service.result('task.list', {}, CALLER);
});

it('dossier purge deletes at once what is due, and nothing else', async () => {
  for (const id of ['stays', 'finished', 'parent', 'old']) await create(id);
  await setup.service.result('task.create', { id: 'child', text: 'x', parentId: 'parent' }, CALLER);
  await put('stays', 'expired', { ttlSeconds: 3600 });
  await put('stays', 'lives');
  for (const id of ['finished', 'parent', 'old']) await setup.service.result('task.complete', { id }, CALLER);
  const { databaseUrl } = setup.servers as Servers;
  // At once, so that the replica does not delete them before the command has counted them: it is stopped meanwhile.
  setup.service.pause();
  try {
    await withPostgres(databaseUrl, async (client) => {
      await client.query(`UPDATE tasks SET completed_at = now() - interval '31 days' WHERE id IN ('parent', 'old')`);
      await client.query(`UPDATE task_attachments SET expires_at = now() - interval '1 minute' WHERE key = 'expired'`);
    });
    const text =
      'deletes for good 1 expired attachments, tasks with all that is in them (0 whose time to live has passed; 2 that ' +
      'were finished more than 30 days ago, unless something below them goes on), published events and tombstones of ' +
      'more than 7 days ago';
    expect(await beside('purge', '--dry-run')).toEqual({ code: 0, stdout: `dry run: ${text}\n`, stderr: '' });
    expect(await beside('purge', 'tasks')).toMatchObject({ code: 1, stdout: '' });
    const purged = await beside('purge', '--yes', '--json');
    expect([purged.code, JSON.parse(purged.stdout)]).toEqual([
      0,
      {
        purged: ['attachments', 'tasks', 'history'],
        left: { expiredAttachments: 0, expiredTasks: 0, finishedTasks: 1 },
      },
    ]);
    expect(JSON.parse(purged.stderr)).toMatchObject({ msg: expect.stringContaining(`purge: ${text}`) as string });
  } finally {
    setup.service.resume();
  }
  const left = await withPostgres(databaseUrl, (client) =>
    client.query<{ id: string }>('SELECT id FROM tasks WHERE deleted_version IS NULL ORDER BY id'),
  );
  expect(left.rows.map(({ id }) => id).filter((id) => id !== 'logged')).toEqual([
    'child',
    'finished',
    'parent',
    'stays',
  ]);
  const page = await setup.service.result('task.list_attachments', { taskId: 'stays' }, CALLER);
  expect((page['attachments'] as WireAttachment[]).map(({ key }) => key)).toEqual(['lives']);
});

it('dossier cache reset empties the cache: what was wrong there is read from PostgreSQL again', async () => {
  const { url } = (setup.servers as Servers).redis;
  await create('cached');
  await put('cached', 'k');
  await untilCached(setup.service, url, 'cached', CALLER);
  const get = () => setup.service.result<WireAttachment>('task.get_attachment', { taskId: 'cached', key: 'k' }, CALLER);
  await withRedis(url, (redis) => redis.hset('cb:task:cached:attachment:k', 'content', 'wrong'));
  expect((await get()).content).toBe('wrong');
  expect((await beside('cache', 'reset')).code).toBe(1);
  expect((await get()).content).toBe('wrong');
  const { code, stdout } = await beside('cache', 'reset', '--yes');
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^forgotten tasks: [1-9]\d*\n$/)]);
  expect((await get()).content).toBe('true');
});
