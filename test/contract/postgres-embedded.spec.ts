import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DataDirectoryLock } from '../../src/outbound/postgres/data-directory-lock';
import { openEmbeddedDatabase } from '../../src/outbound/postgres/embedded-database';
import { databaseHarness, TIMEOUT_MS } from './attachment-store.harness';

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
    const args = ['-r', join(support, 'typescript-hook.js'), join(support, 'pglite-writer.ts'), directory];
    child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => acknowledged.push(line) === count && resolve());
      child?.once('exit', () => reject(new Error('the writer has ended')));
    });
    return acknowledged;
  }

  it('keeps all it acknowledged when its process is killed', async () => {
    const acknowledged = await writerWith(200);
    await expect(openEmbeddedDatabase(directory)).rejects.toThrow(
      `the data directory ${directory} is in use by process ${child?.pid}`,
    );
    await kill();

    const harness = await databaseHarness(await openEmbeddedDatabase(directory));
    try {
      const stored = await harness.attachments.summaries('t', 'acme', Date.now(), TIMEOUT_MS);
      const keys = new Set(stored?.map(({ key }) => key));
      expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
      expect((await harness.eventsOf('t')).length).toBe(1 + keys.size);
    } finally {
      await harness.close();
    }
    expect(readdirSync(directory)).toEqual(['postgres']);
  });

  describe('locks its directory', () => {
    it('against the same process, until it is closed', async () => {
      const lock = await DataDirectoryLock.acquire(directory);
      await expect(DataDirectoryLock.acquire(directory)).rejects.toThrow(`in use by process ${process.pid}`);
      await lock.release();
      await (await DataDirectoryLock.acquire(directory)).release();
      expect(readdirSync(directory)).toEqual([]);
    });

    it.each([
      ['of a process that is gone', '4194305-1'],
      ['of an earlier process with the same id', `${process.pid}-1`],
      ['that says nothing', ''],
    ])('and takes over a lock %s, once', async (_, owner) => {
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
    // Elsewhere the system does not tell such a process from a living one.
    if (existsSync('/proc/self/stat')) {
      it('and takes over the lock of a process whose exit code nobody has asked for yet', takesOverFromZombie);
    }

    it('and finishes a takeover that was cut short', async () => {
      writeFileSync(lockFile(), '4194305-1');
      writeFileSync(`${lockFile()}.4194305-1`, '4194305-2');
      await (await DataDirectoryLock.acquire(directory)).release();
      expect(readdirSync(directory)).toEqual([]);
    });
  });
});
