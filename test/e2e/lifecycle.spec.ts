import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectionError } from '../../client/src/dossier-client';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { openConnection, rawRequest } from '../support/raw-http';
import { runProgram, startService, type Service } from '../support/service';
import { SETUPS, withPostgres, type Setup } from '../support/setups';
import type { WireAttachment } from '../support/wire-values';

/** The service promises to stop within this time. */
const STOP_WITHIN_MS = 15_000;
/** Shorter than the time after which an idle connection would be closed. */
const PROMPTLY_MS = 4000;

const put = (service: Service, key: string, value: unknown) =>
  service.result<WireAttachment>('task.create_attachment', { taskId: 'kept', key, type: 'json', value });

describe.each(SETUPS)('a process that ends, $name', ({ name, open }) => {
  let setup: Setup;

  beforeAll(async () => {
    setup = await open();
    await setup.service.result('task.create', { id: 'kept', text: 'x' });
  });
  afterAll(() => setup?.close());

  it('has kept every acknowledged write if it was killed during writes', async () => {
    const { service } = setup;
    const acknowledged = new Map<string, number | undefined>();
    const writeUntilKilled = async (writer: number) => {
      for (let i = 0; ; i++) {
        const key = `${writer}-${i}`;
        await put(service, key, i);
        acknowledged.set(key, i);
        if (i % 4 < 2) continue;
        const deletes = i % 4 === 2;
        // Until the reply arrives, either state may be the stored one.
        acknowledged.delete(key);
        if (deletes) await service.result('task.delete_attachment', { taskId: 'kept', key });
        else await put(service, key, -i);
        acknowledged.set(key, deletes ? undefined : -i);
      }
    };
    const writers = [0, 1, 2, 3].map((writer) => writeUntilKilled(writer).catch((error: unknown) => error));
    await until('40 keys are written', () => acknowledged.size >= 40);
    await service.kill();
    // The writers must have ended because the service ended.
    for (const error of await Promise.all(writers)) expect(error).toBeInstanceOf(ConnectionError);

    await setup.startAgain();
    const requests = [...acknowledged.keys()].map((key) => ({ taskId: 'kept', key }));
    for (let from = 0; from < requests.length; from += 100) {
      const some = requests.slice(from, from + 100);
      const { attachments } = await setup.service.result<{ attachments: (WireAttachment | null)[] }>(
        'task.get_attachments_batch',
        { requests: some, allowMissing: true },
      );
      expect(attachments.map((attachment) => attachment?.value)).toEqual(some.map(({ key }) => acknowledged.get(key)));
    }
  });

  it('becomes unready on SIGTERM, finishes the calls in flight, and exits with 0', async () => {
    const { service } = setup;
    const params = { taskId: 'kept', key: 'in flight', type: 'json', value: 1 };
    const request = rawRequest(
      JSON.stringify({ jsonrpc: '2.0', method: 'task.create_attachment', params, id: 'in flight' }),
      { expect: '100-continue' },
    );
    const bodyAt = request.indexOf('\r\n\r\n') + 4;
    const [upload, probe] = [await openConnection(service.url), await openConnection(service.url)];
    const answers = { upload: '', probe: '' };
    upload.on('data', (text: Buffer) => (answers.upload += text.toString()));
    probe.on('data', (text: Buffer) => (answers.probe += text.toString()));
    upload.write(request.slice(0, bodyAt));
    await until('the call is accepted', () => answers.upload.includes('100 Continue'));
    probe.write('GET /readyz HTTP/1.1\r\n');

    const toldAtMs = performance.now();
    service.signal('SIGTERM');
    await until('it has begun to stop', () => service.hasBegunToStop);
    probe.write('host: localhost\r\n\r\n');
    await until('the probe is answered', () => answers.probe.includes('\r\n\r\n'));
    expect(answers.probe).toMatch(/^HTTP\/1\.1 503 /);

    upload.write(request.slice(bodyAt));
    await until('the call is answered', () => answers.upload.includes('"in flight"}'));
    expect(answers.upload).toMatch(/HTTP\/1\.1 200 [^]*"replaced":false/);
    expect((await service.exit).code).toBe(0);
    expect(performance.now() - toldAtMs).toBeLessThan(STOP_WITHIN_MS);
    expect(service.stderr).toBe('');

    await setup.startAgain();
    expect(await setup.service.result('task.get_attachment', { taskId: 'kept', key: 'in flight' })).toMatchObject({
      value: 1,
    });
  });

  if (name === 'embedded') {
    it('has its data directory to itself: a second process says so in one line and ends', async () => {
      const { service, environment } = setup;
      const { code, stderr } = await runProgram('dist/main.js', [], { ...environment, PORT: '0' });
      expect(code).toBeGreaterThan(0);
      expect(stderr.split('\n')).toEqual([expect.stringContaining('data directory'), '']);
      expect(stderr).toContain(String(service.pid));
      await put(service, 'unmoved', 1);
    });
  }

  it('does not wait for idle connections on SIGTERM', async () => {
    const { service } = setup;
    const idle = await openConnection(service.url);
    idle.write(rawRequest('[]'));
    await once(idle, 'data');
    const toldAtMs = performance.now();
    expect(await service.stop()).toBe(0);
    expect(performance.now() - toldAtMs).toBeLessThan(PROMPTLY_MS);
  });
});

describe('a start with a wrong configuration', () => {
  it.each([
    ['PORT', 'x'],
    ['DATABASE_URL', 'mysql://user:secret@localhost/x'],
    ['REDIS_URL', 'localhost:6379'],
    ['DATA_DIR', '/etc/passwd'],
    ['HOST', '300.1.1.1'],
    ['RATE_LIMITS', 'task.unknown=1/1m'],
    ['NATS_CREDS', __filename],
  ])('ends with one line that names the variable: %s=%s', async (name, value) => {
    const env = { PORT: '0', DATA_DIR: 'memory', NATS_URL: 'nats://127.0.0.1:1', [name]: value };
    const { code, stdout, stderr } = await runProgram('dist/main.js', [], env);
    expect(code).toBeGreaterThan(0);
    expect(stderr.split('\n')).toEqual([expect.stringContaining(name), '']);
    expect(stdout + stderr).not.toMatch(/secret|^\s+at /m);
  });

  it('ends with one line in production if no database is chosen, and names the variable that seems to be misspelt', async () => {
    const { code, stdout, stderr } = await runProgram('dist/main.js', [], { NODE_ENV: 'production', PORT: '0' });
    expect(code).toBeGreaterThan(0);
    expect([stdout, stderr.split('\n')]).toEqual(['', [expect.stringMatching(/DATABASE_URL=embedded/), '']]);
    const service = await startService({ DATABASE_URL: 'memory', DATABASE_URI: 'postgres://u:secret@h/x' });
    try {
      const lines = service.logLines.filter((line) => line.includes('DATABASE_URI'));
      expect(lines).toEqual([expect.stringContaining('did you mean DATABASE_URL?')]);
      expect(service.logLines.join()).not.toContain('secret');
    } finally {
      await service.kill();
    }
  });

  it('ends with one line if the port is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const port = String((squatter.address() as AddressInfo).port);
      const env = { PORT: port, DATABASE_URL: 'postgres://127.0.0.1:1/x' };
      const { code, stdout, stderr } = await runProgram('dist/main.js', [], env);
      expect(code).toBeGreaterThan(0);
      expect([stdout, stderr.split('\n')]).toEqual(['', [expect.stringContaining(port), '']]);
    } finally {
      squatter.close();
    }
  });

  it('ends with one line if the data directory holds something else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-data-'));
    try {
      mkdirSync(join(folder, 'postgres'));
      writeFileSync(join(folder, 'postgres/PG_VERSION'), 'not a version');
      const { code, stderr } = await runProgram('dist/main.js', [], { DATA_DIR: folder, PORT: '0' });
      expect(code).toBeGreaterThan(0);
      expect(stderr.split('\n')).toEqual([expect.stringContaining('DATA_DIR'), '']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the migration command', () => {
  let postgres: PostgresServer;
  let databaseUrl: string;

  beforeAll(async () => {
    postgres = await startPostgres();
    databaseUrl = await postgres.createDatabase();
  });
  afterAll(() => postgres?.stop());

  const migrate = (...args: string[]) =>
    runProgram('dist/commands/dossier.js', ['migrate', ...args], { DATABASE_URL: databaseUrl });
  const tables = () =>
    withPostgres(databaseUrl, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'dossier_migrations'`,
      );
      return rows.map(({ name }) => name);
    });

  it('migrates up, does nothing the second time, migrates down, and up once more', async () => {
    const expected = expect.arrayContaining(['tasks', 'task_attachments', 'outbox_history']) as unknown;
    expect(await migrate()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('migrated: ') as unknown,
      stderr: '',
    });
    expect(await tables()).toEqual(expected);
    expect(await migrate('up')).toEqual({ code: 0, stdout: 'up: nothing left to do\n', stderr: '' });
    await withPostgres(databaseUrl, (client) =>
      client.query(
        "INSERT INTO tasks (id, deleted_version, deleted_op, deleted_at) VALUES ('t', 2, gen_random_uuid(), now())",
      ),
    );
    const all = '0 tasks, 0 attachments and 0 unpublished events of the database test_1';
    expect(await migrate('down')).toEqual({
      code: 1,
      stdout: '',
      stderr: `migrate: down would delete the schema and ${all}, for good. To do so, add --yes-delete-everything\n`,
    });
    expect(await tables()).toEqual(expected);
    expect(await migrate('down', '--yes-delete-everything')).toEqual({
      code: 0,
      stdout: `down: the schema is gone, and ${all}\n`,
      stderr: '',
    });
    expect(await tables()).toEqual([]);
    expect(await migrate('down', '--yes-delete-everything')).toEqual({
      code: 0,
      stdout: 'down: nothing left to do\n',
      stderr: '',
    });
    expect(await migrate('up')).toMatchObject({ code: 0, stderr: '' });
    expect(await tables()).toEqual(expected);
  });

  it.each([['--help'], ['-h'], ['--dry-run'], ['please']])(
    'removes nothing if down is followed by %s',
    async (word) => {
      await migrate('up');
      const { code, stdout, stderr } = await migrate('down', word);
      expect(stdout + stderr).toContain('usage: dossier migrate [up|down --yes-delete-everything]');
      expect(code).toBe(word === '--help' || word === '-h' ? 0 : 1);
      expect(await migrate('up')).toEqual({ code: 0, stdout: 'up: nothing left to do\n', stderr: '' });
    },
  );

  it('removes nothing while a replica is there, and says from where', async () => {
    const replica = await startService({ DATABASE_URL: databaseUrl });
    try {
      await replica.result('task.create', { id: 'kept', text: 'x' });
      const { code, stdout, stderr } = await migrate('down', '--yes-delete-everything');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^migrate: the service is connected .*127\.0\.0\.1\): stop it first\n$/);
      expect(await replica.result('task.get', { id: 'kept' })).toMatchObject({ id: 'kept' });
    } finally {
      await replica.kill();
    }
  });

  it('reports an unknown direction or an unavailable database in one line, with an exit code', async () => {
    const wrongWay = await migrate('sideways');
    const away = await runProgram('dist/commands/dossier.js', ['migrate'], {
      DATABASE_URL: 'postgres://127.0.0.1:1/x',
    });
    for (const { code, stdout, stderr } of [wrongWay, away]) {
      expect(code).toBeGreaterThan(0);
      expect([stdout, stderr]).toEqual(['', expect.stringMatching(/^migrate: .+\n/)]);
    }
    expect(away.stderr.split('\n')).toHaveLength(2);
  });
});
