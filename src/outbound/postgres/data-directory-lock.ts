import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const LOCK_FILE = 'dossier.lock';

/**
 * Keeps a second process out of a data directory, by a file that names its owner. The file of a process that has ended
 * is taken over.
 */
export class DataDirectoryLock {
  private constructor(private readonly path: string) {}

  /** If the owner is alive, throws an error that names the directory and the owner's process id. */
  static async acquire(directory: string): Promise<DataDirectoryLock> {
    const path = join(directory, LOCK_FILE);
    const owner = await claim(path);
    if (!owner) return new DataDirectoryLock(path);
    throw new Error(`the data directory ${directory} is in use by process ${pidOf(owner)}`);
  }

  async release(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

/** Creates the lock file; returns the owner instead if it is alive. */
async function claim(path: string): Promise<string | undefined> {
  while (!(await createWhole(path, identityOf(process.pid) as string))) {
    const owner = await readOwner(path);
    if (owner === undefined) continue;
    if (isAlive(owner)) return owner;
    // Only one process at a time may remove a dead owner's file: a second one would remove that of the successor.
    const takeover = `${path}.${owner}`;
    const rival = await claim(takeover);
    if (rival) return rival;
    if ((await readOwner(path)) === owner) await rm(path);
    await rm(takeover);
  }
  return undefined;
}

/** A link appears together with its content, never without. False if the file exists. */
async function createWhole(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft);
  }
}

async function readOwner(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(owner: string): boolean {
  return identityOf(pidOf(owner)) === owner;
}

function pidOf(owner: string): number {
  return Number.parseInt(owner, 10);
}

/**
 * Undefined if there is no such process, or only a zombie, whose parent has not asked for its exit code yet. The start
 * time is part of the identity: ids are used again, and in a container the same ones each time.
 */
function identityOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const { state, startTime } = processStat(pid);
  return state === 'Z' ? undefined : `${pid}-${startTime}`;
}

/** The start time is in clock ticks since that of the machine. Without /proc, the process id alone must do. */
function processStat(pid: number): { state: string; startTime: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the program's name in parentheses, may hold spaces and parentheses. The state is the third
    // field, the start time the 22nd.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch {
    return { state: '', startTime: '' };
  }
}
