import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { buildImageFolder, type ImageFolder } from '../support/image-build';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { spawnMortal } from '../support/spawn-mortal';

const BUILD_TIMEOUT_MS = 900_000;
const START_TIMEOUT_MS = 60_000;
const MEBIBYTE = 2 ** 20;

interface Container {
  readonly child: ChildProcess;
  /** `text` is what came from both streams, in the order in which it was read; `errors` what came from one of them. */
  readonly output: { text: string; errors: string };
  /** Resolves with the exit code when all output has been read. */
  readonly ended: Promise<number | null>;
}

describe('the image, each step of its Dockerfile run in an empty folder', () => {
  let image: ImageFolder;
  let postgres: PostgresServer;
  let databaseUrlFile: string;
  let secrets: string;

  beforeAll(async () => {
    image = buildImageFolder('deploy/Dockerfile');
    // As it is in the image: nothing below it can be changed by the user that runs the service.
    for (let folder = join(image.app, '../..'); folder !== tmpdir(); folder = join(folder, '..'))
      chmodSync(folder, 0o755);
    execFileSync('chmod', ['-R', 'a-w,a+rX', image.app]);
    postgres = await startPostgres();
    secrets = mkdtempSync(join(tmpdir(), 'dossier-secrets-'));
    chmodSync(secrets, 0o755);
    databaseUrlFile = join(secrets, 'database-url');
    writeFileSync(databaseUrlFile, `${await postgres.createDatabase()}\n`, { mode: 0o444 });
  }, BUILD_TIMEOUT_MS);
  afterAll(async () => {
    await postgres?.stop();
    image?.remove();
    if (secrets) rmSync(secrets, { recursive: true });
  });

  /** The entry point as the user of the image, in the image's environment; without tini, which only an image has. */
  const runContainer = (args: readonly string[], env: Record<string, string>): Container => {
    const [tini, separator, script = ''] = image.config.entrypoint;
    expect([tini, separator]).toEqual(['tini', '--']);
    const [uid, gid] = image.config.user.split(':').map(Number);
    const child = spawnMortal(join(image.app, script.replace('/app/', '')), args, {
      cwd: image.app,
      env: { PATH: process.env['PATH'], CGROUP: join(secrets, 'no-limit'), ...image.config.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    });
    const output = { text: '', errors: '' };
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text: Buffer) => (output.text += text.toString()));
    child.stderr?.on('data', (text: Buffer) => (output.errors += text.toString()));
    return { child, output, ended: once(child, 'close').then(([code]) => code as number | null) };
  };

  it('is pinned, runs as a user without rights, and leaves only the installation of tini to an engine', () => {
    for (const base of image.config.bases) expect(base).toMatch(/^node:\d+\.\d+\.\d+-[a-z-]+@sha256:[0-9a-f]{64}$/);
    expect(image.config.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(image.config.env).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0', SHUTDOWN_DELAY_MS: '5000' });
    expect(image.notRun).toEqual([expect.stringMatching(/^apt-get update && apt-get install [^&]* tini &&/)]);
  });

  it('holds what the service needs at run time, and nothing else', () => {
    expect(readdirSync(image.app).sort()).toEqual(
      ['LICENSE', 'dist', 'entrypoint.sh', 'migrations', 'node_modules', 'package.json'].sort(),
    );
    const built = readdirSync(join(image.app, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(built).toEqual(
      expect.arrayContaining([
        'main.js',
        'commands/dossier.js',
        'inbound/docs/page/page.html',
        'outbound/redis/scripts/task.lua',
      ]),
    );
    expect(built.filter((file) => /\.map$|\.ts$|\.spec\.|^(test|bench)\b/.test(file))).toEqual([]);
    for (const absent of ['@electric-sql', 'typescript', 'jest', 'eslint']) {
      expect([absent, existsSync(join(image.app, 'node_modules', absent))]).toEqual([absent, false]);
    }
  });

  it('migrates with the arguments of the migration job, and then serves on PostgreSQL and stops on SIGTERM', async () => {
    const migration = runContainer(['dist/commands/dossier.js', 'migrate', 'up'], {
      DATABASE_URL_FILE: databaseUrlFile,
      HOST: '127.0.0.1',
    });
    expect([await migration.ended, migration.output.text]).toEqual([0, expect.stringContaining('migrated: ')]);

    const port = await freePort();
    const env = { DATABASE_URL_FILE: databaseUrlFile, AUTH: 'off', PORT: String(port), SHUTDOWN_DELAY_MS: '0' };
    const service = runContainer(image.config.command, env);
    const probe = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
    await until('it is ready', async () => (await probe().catch(() => 0)) === 200, START_TIMEOUT_MS);
    service.child.kill('SIGTERM');
    expect([await service.ended, service.output.text]).toEqual([0, expect.stringContaining('stopped')]);
  });

  it.each([
    [{}, /^dossier: DATABASE_URL must be set in production[^\n]*\n$/, /^dossier: [^\n]*\n$/],
    [
      { DATABASE_URL: 'embedded' },
      /^dossier: DATABASE_URL must be a PostgreSQL: [^\n]* no embedded database\n$/,
      /"context":"main","msg":"PostgreSQL: embedded/,
    ],
  ])(
    'ends with a line that says so if it is given no PostgreSQL: %p',
    async (env: Record<string, string>, line, output) => {
      const service = runContainer(image.config.command, { AUTH: 'off', PORT: '0', ...env });
      expect(await service.ended).toBeGreaterThan(0);
      expect(service.output.errors).toMatch(line);
      expect(service.output.text).toMatch(output);
    },
  );

  it.each([
    ['memory.max', `${512 * MEBIBYTE}`, {}, 358],
    ['memory.max', `${512 * MEBIBYTE}`, { HEAP_PERCENT: '50' }, 256],
    ['memory/memory.limit_in_bytes', `${1024 * MEBIBYTE}`, {}, 716],
    ['memory.max', `${512 * MEBIBYTE}`, { NODE_OPTIONS: '--max-old-space-size=111' }, 111],
  ])('takes its heap from the limit of the container: %s is %s, %p', async (file, limit, env, heapMiB) => {
    const cgroup = mkdtempSync(join(secrets, 'cgroup-'));
    chmodSync(cgroup, 0o755);
    mkdirSync(join(cgroup, 'memory'));
    writeFileSync(join(cgroup, file), `${limit}\n`);
    const script = 'console.log(require("v8").getHeapStatistics().heap_size_limit / 2 ** 20)';
    const node = runContainer(['-e', script], { ...env, CGROUP: cgroup });
    expect(await node.ended).toBe(0);
    // V8 adds the young generation.
    const limitMiB = Number(node.output.text);
    expect(limitMiB).toBeGreaterThanOrEqual(heapMiB);
    expect(limitMiB).toBeLessThan(heapMiB + 64);
  });

  it.each(['max', '9223372036854771712'])(
    'leaves the heap to node if the container has no limit: %s',
    async (limit) => {
      const cgroup = mkdtempSync(join(secrets, 'cgroup-'));
      chmodSync(cgroup, 0o755);
      writeFileSync(join(cgroup, 'memory.max'), `${limit}\n`);
      const node = runContainer(['-p', 'process.execArgv.length'], { CGROUP: cgroup });
      // `-p` and its text: nothing was put before them.
      expect([await node.ended, node.output.text]).toEqual([0, '2\n']);
    },
  );
});
