import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { StoreError } from '../../src/core/ports/store-error';
import { DataDirectoryLock } from '../../src/outbound/postgres/data-directory-lock';
import { openEmbeddedDatabase, openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import type { Database } from '../../src/outbound/postgres/database';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { until } from '../support/poll';
import { databaseHarness, ORGANIZATION, storedTask, TIMEOUT_MS } from './attachment-store.harness';

const timeout = new StoreError('postgres', 'timeout');
const support = join(__dirname, '../support');

describe('the embedded database', () => {
  let directory: string;
  let child: ChildProcess | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'dossier-data-'));
  });
  afterEach(async () => {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  });

  const lockFile = () => join(directory, 'dossier.lock');

  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Resolves when another process has acknowledged `count` writes; it goes on writing. */
  async function writerWith(count: number): Promise<string[]> {
    const acknowledged: string[] = [];
    const args = ['-r', join(__dirname, '../simulation/register.cjs'), join(support, 'pglite-writer.ts'), directory];
    child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => acknowledged.push(line) === count && resolve());
      child?.once('exit', () => reject(new Error('the writer has ended')));
    });
    return acknowledged;
  }

  it('keeps every acknowledged write when its process is killed', async () => {
    const acknowledged = await writerWith(200);
    await expect(openEmbeddedDatabase(directory)).rejects.toThrow(
      `the data directory ${directory} is in use by process ${child?.pid}`,
    );
    await kill();

    const harness = await databaseHarness(await openEmbeddedDatabase(directory));
    try {
      const stored = await harness.attachments.outlines(
        { taskId: 't', organization: 'acme', nowMs: Date.now() },
        TIMEOUT_MS,
      );
      const keys = new Set(stored?.map(({ key }) => key));
      expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
      expect((await harness.eventsOf('t')).length).toBe(1 + keys.size);
    } finally {
      await harness.close();
    }
    expect(readdirSync(directory)).toEqual(['postgres']);
  });

  it('is started again if it ends because it cannot write its log, with every acknowledged write', async () => {
    const database = await openEmbeddedDatabase(directory);
    const harness = await databaseHarness(database);
    const [log, away] = [join(directory, 'postgres/pg_wal'), join(directory, 'away')];
    try {
      const stored = await storedTask(harness);
      harness.connection.admit('the run that has stored it');
      renameSync(log, away);
      const failures: unknown[] = [];
      const run = (sql: string) =>
        harness.connection.query(sql, [], TIMEOUT_MS).catch((error: unknown) => failures.push(error));
      await until('its log does not fit into what is open any more', async () => {
        await run('CREATE TABLE IF NOT EXISTS filler ()');
        await run('INSERT INTO filler DEFAULT VALUES');
        await run('SELECT pg_switch_wal()');
        return failures.length > 0;
      });
      expect(failures[0]).toMatchObject({ store: 'postgres', outcome: 'unavailable' });
      // As long as it cannot be started, a call is refused at once.
      const startedAtMs = performance.now();
      for (let i = 0; i < 20; i++)
        await expect(harness.tasks.organizationOf(stored.id, TIMEOUT_MS)).rejects.toMatchObject({
          outcome: 'unavailable',
        });
      expect(performance.now() - startedAtMs).toBeLessThan(TIMEOUT_MS);
      rmSync(log, { recursive: true, force: true });
      renameSync(away, log);
      const find = () => harness.tasks.organizationOf(stored.id, TIMEOUT_MS).catch(() => undefined);
      expect(await until('it answers again', find)).toBe(ORGANIZATION);
      await storedTask(harness);
    } finally {
      await harness.close();
    }
  });

  it('ends a call at its time limit while its only session is busy', async () => {
    const connection = new PostgresConnection(await openMemoryDatabase());
    try {
      await connection.query('CREATE TABLE too_late ()');
      const insert = 'INSERT INTO too_late DEFAULT VALUES';
      await connection.transaction(async () => {
        await expect(connection.query(insert, [], 50)).rejects.toEqual(timeout);
      });
      await expect(connection.query('SELECT FROM too_late')).resolves.toEqual([]);

      const begun = connection.transaction(async (query) => {
        await query(insert);
        await expect(begun).rejects.toEqual(timeout);
      }, 50);
      await expect(begun).rejects.toEqual(timeout);
      // This database cannot stop the statement, which takes effect and leaves the session as it was.
      await expect(connection.query('SELECT FROM too_late')).resolves.toHaveLength(1);
    } finally {
      await connection.close();
    }
  });

  it.each([
    ['/proc/dossier/data', /ENOENT/],
    ['/dev/null/data', /ENOTDIR/],
  ])('says at once that it cannot be created in %s', async (path, message) => {
    await expect(openEmbeddedDatabase(path)).rejects.toThrow(message);
  });

  it('creates the directories that it needs, and opens once', async () => {
    const below = join(directory, 'a', 'b');
    const databases = await Promise.allSettled([openEmbeddedDatabase(below), openEmbeddedDatabase(below)]);
    const opened = databases.filter(({ status }) => status === 'fulfilled');
    expect(opened).toHaveLength(1);
    await (opened[0] as PromiseFulfilledResult<Database>).value.close();
    expect(readdirSync(below)).toEqual(['postgres']);
  });

  it('begins again if an earlier process ended before its database was complete', async () => {
    mkdirSync(join(directory, 'postgres.incomplete'));
    writeFileSync(join(directory, 'postgres.incomplete', 'PG_VERSION'), '18\n');

    const database = await openEmbeddedDatabase(directory);
    await database.close();
    expect(readdirSync(directory)).toEqual(['postgres']);
  });

  it.each(['.', 'postgres'])('says that it cannot use a file as its directory: %s', async (name) => {
    const path = join(directory, 'file');
    mkdirSync(path);
    if (name === '.') rmSync(path, { recursive: true });
    writeFileSync(join(path, name), '');
    await expect(openEmbeddedDatabase(path)).rejects.toThrow(`${join(path, name)} is no directory`);
  });

  it('refuses files that are not those of a database, and gives up its lock', async () => {
    mkdirSync(join(directory, 'postgres'));
    writeFileSync(join(directory, 'postgres', 'PG_VERSION'), 'nonsense');
    const outcome = await openEmbeddedDatabase(directory).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    expect((outcome as Error).message).not.toContain('\n');
    expect(readdirSync(directory)).toEqual(['postgres']);
  });

  describe('the lock of its directory', () => {
    it('keeps out the same process, until it is released', async () => {
      const lock = await DataDirectoryLock.acquire(directory);
      await expect(DataDirectoryLock.acquire(directory)).rejects.toThrow(`in use by process ${process.pid}`);
      await lock.release();
      await (await DataDirectoryLock.acquire(directory)).release();
      expect(readdirSync(directory)).toEqual([]);
    });

    /** A process that holds the lock, with a parent that never asks for its exit code. */
    async function startOwner(): Promise<number> {
      const script = `require('net').createServer().listen(process.argv[1], () => console.log(process.pid))`;
      const command = `"$0" -e "$1" "$2" & exec sleep 60`;
      const args = ['-c', command, process.execPath, script, lockFile()];
      child = spawn('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      return Number(((await once(lines, 'line')) as [string])[0]);
    }

    it('is taken over once if its owner was killed, even if it is still in the table of processes', async () => {
      const pid = await startOwner();
      await expect(DataDirectoryLock.acquire(directory)).rejects.toThrow('in use by another process');
      process.kill(pid, 'SIGKILL');
      const isFree = () => DataDirectoryLock.acquire(directory).then((lock) => lock.release().then(() => true));
      await until('it is taken over', () => isFree().catch(() => false));
    });

    it.each(['', '4194305-1'])('is taken over once from what an earlier release has left: %j', async (content) => {
      writeFileSync(lockFile(), content);
      const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => DataDirectoryLock.acquire(directory)));
      const [lock, ...others] = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
      expect(others).toEqual([]);
      expect(readdirSync(directory)).toEqual(['dossier.lock', 'dossier.owner']);
      await lock?.release();
    });

    it('is taken over if an earlier takeover was cut short', async () => {
      writeFileSync(lockFile(), '');
      const { ino, mtimeMs } = lstatSync(lockFile());
      writeFileSync(`${lockFile()}.${ino.toString(36)}-${Math.trunc(mtimeMs).toString(36)}`, '');
      await (await DataDirectoryLock.acquire(directory)).release();
      expect(readdirSync(directory)).toEqual([]);
    });

    it('is not taken over from an owner that is frozen', async () => {
      const pid = await startOwner();
      process.kill(pid, 'SIGSTOP');
      await expect(DataDirectoryLock.acquire(directory)).rejects.toThrow('in use by another process');
      process.kill(pid, 'SIGKILL');
    });
  });
});
