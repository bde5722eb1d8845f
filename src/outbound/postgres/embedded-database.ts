import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { DataDirectoryLock } from './data-directory-lock';
import { SILENT_LOGGER, type Database } from './database';

/** How long a statement may wait for its turn: there is only one session. */
const CONNECT_TIMEOUT_MS = 5000;
/** For the owner alone. */
const PRIVATE = 0o700;

/**
 * PostgreSQL in this process, with its files below `dataDirectory`. Throws if another process has them open, or if they
 * cannot be created.
 */
export async function openEmbeddedDatabase(dataDirectory: string): Promise<Database> {
  await createDirectory(dataDirectory);
  const lock = await DataDirectoryLock.acquire(dataDirectory);
  try {
    const database = await openPGlite(join(dataDirectory, 'postgres'));
    return { ...database, close: () => database.close().finally(() => lock.release()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** PostgreSQL in this process, in memory: its data ends with the process. */
export function openMemoryDatabase(): Promise<Database> {
  return openPGlite();
}

async function openPGlite(folder?: string): Promise<Database> {
  const pglite = await PGlite.create(folder);
  const dataSource = () =>
    ({
      type: 'postgres',
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      logger: SILENT_LOGGER,
      // An idle connection is not closed: it is the only session there is.
      extra: { ...createPgConfig(pglite), idleTimeoutMillis: 0 } as object,
    }) as const;
  return {
    serving: dataSource(),
    migrating: dataSource(),
    isInterruptible: false,
    check: () => Promise.resolve(),
    close: () => pglite.close(),
  };
}

/** With its parents. Node's own recursive `mkdir` never returns if a parent cannot be created, as below /proc. */
async function createDirectory(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await exists(at)); at = dirname(at)) missing.unshift(at);
  for (const one of missing) {
    await mkdir(one, one === resolve(path) ? { mode: PRIVATE } : {}).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
