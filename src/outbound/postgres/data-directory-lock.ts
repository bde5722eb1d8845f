import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { link, lstat, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';

const LOCK_FILE = 'dossier.lock';
/** The rest of what the name of a socket may have is for the file's own name, and for those of takeovers. */
const MAX_DIRECTORY_BYTES = 40;
/** Names the owner, for the operator of a process that is kept out. It decides nothing. */
const OWNER_FILE = 'dossier.owner';

/**
 * Keeps a second process out of a data directory, also one in another container that shares it: there, process ids mean
 * nothing. The lock is a socket on which its owner listens. The kernel ends it with the process, however that ends, and
 * the file that remains is taken over.
 */
export class DataDirectoryLock {
  private constructor(
    private readonly directory: string,
    private readonly server: Server,
  ) {}

  /** If the owner is alive, throws an error that names the directory and the owner. */
  static async acquire(directory: string): Promise<DataDirectoryLock> {
    const folder = await open(directory, 'r');
    try {
      const path = join(shortNameOf(directory, folder), LOCK_FILE);
      const draft = `${path}.${randomBytes(4).toString('hex')}`;
      const server = await listenOn(draft);
      try {
        if (!(await claim(path, draft))) throw await inUse(directory);
      } catch (error) {
        server.close();
        throw error;
      } finally {
        await rm(draft, { force: true });
      }
      await writeFile(join(directory, OWNER_FILE), `process ${process.pid} on ${hostname()}`);
      return new DataDirectoryLock(directory, server);
    } finally {
      await folder.close();
    }
  }

  async release(): Promise<void> {
    for (const file of [OWNER_FILE, LOCK_FILE]) await rm(join(this.directory, file), { force: true });
    await once(this.server.close(), 'close');
  }
}

async function inUse(directory: string): Promise<Error> {
  const owner = await readFile(join(directory, OWNER_FILE), 'utf8').catch(() => 'another process');
  return new Error(`the data directory ${directory} is in use by ${owner}`);
}

/** The kernel takes only short names for sockets, and Node cuts off a longer one: the socket would be another file. */
function shortNameOf(directory: string, { fd }: FileHandle): string {
  if (process.platform === 'linux') return `/proc/self/fd/${fd}`;
  if (Buffer.byteLength(directory) <= MAX_DIRECTORY_BYTES) return directory;
  throw new Error(`its path is longer than ${MAX_DIRECTORY_BYTES} bytes`);
}

async function listenOn(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await once(server.listen(path), 'listening');
  return server.unref();
}

/** Gives the socket `draft` the name `path`; false if its owner is alive. */
async function claim(path: string, draft: string): Promise<boolean> {
  // A link appears whole, and never in place of another file.
  while (!(await succeeds(link(draft, path), 'EEXIST'))) {
    const found = await identityOf(path);
    if (found === undefined) continue;
    if (await isOwned(path)) return false;
    // Only one process at a time may remove a dead owner's file: a second one would remove that of the successor.
    const takeover = `${path}.${found}`;
    if (!(await claim(takeover, draft))) return false;
    if ((await identityOf(path)) === found) await rm(path);
    await rm(takeover);
  }
  return true;
}

/** Tells a file from its successor of the same name. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeMs } = await lstat(path);
    return `${ino.toString(36)}-${Math.trunc(mtimeMs).toString(36)}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a process listens on the socket: the kernel knows, even if the process is frozen. In doubt, one does. */
async function isOwned(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return !['ECONNREFUSED', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '');
  } finally {
    socket.destroy();
  }
}

/** False if it fails with that code. */
async function succeeds(work: Promise<void>, codeOfFailure: string): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === codeOfFailure) return false;
    throw error;
  }
}
