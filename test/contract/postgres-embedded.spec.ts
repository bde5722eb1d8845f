import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { StoreError } from '../../src/core/ports/store-error';
import { DataDirectoryLock } from '../../src/outbound/postgres/data-directory-lock';
import { openEmbeddedDatabase, openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import type { Database } from '../../src/outbound/postgres/database';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { databaseHarness, TIMEOUT_MS } from './attachment-store.harness';

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
      const stored = await harness.attachments.outlines('t', 'acme', Date.now(), TIMEOUT_MS);
      const keys = new Set(stored?.map(({ key }) => key));
      expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
      expect((await harness.eventsOf('t')).length).toBe(1 + keys.size);
    } finally {
      await harness.close();
    }
    expect(readdirSync(directory)).toEqual(['postgres']);
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

    it.each([
      ['a process that has ended', '4194305-1'],
      ['an earlier process with the same id', `${process.pid}-1`],
      ['not named in its file', ''],
    ])('is taken over once if its owner is %s', async (_, owner) => {
      writeFileSync(lockFile(), owner);
      const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => DataDirectoryLock.acquire(directory)));
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(readFileSync(lockFile(), 'utf8')).toMatch(new RegExp(`^${process.pid}-`));
    });

    const takesOverFromZombie = async () => {
      child = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
      const [line] = (await once(lines, 'line')) as [string];
      const stat = () => readFileSync(`/proc/${line}/stat`, 'utf8').split(' ');
      while (stat()[2] !== 'Z') await new Promise((resolve) => setImmediate(resolve));
      writeFileSync(lockFile(), `${line}-${stat()[21]}`);
      await (await DataDirectoryLock.acquire(directory)).release();
    };
    // Other systems do not show the difference between such a process and a living one.
    if (existsSync('/proc/self/stat')) {
      it('is taken over from a process whose exit code its parent has not asked for yet', takesOverFromZombie);
    }

    it('is taken over if an earlier takeover was cut short', async () => {
      writeFileSync(lockFile(), '4194305-1');
      writeFileSync(`${lockFile()}.4194305-1`, '4194305-2');
      await (await DataDirectoryLock.acquire(directory)).release();
      expect(readdirSync(directory)).toEqual([]);
    });
  });
});
