import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { StoreError } from '../../core/ports/store-error';
import { DataDirectoryLock } from './data-directory-lock';
import { SILENT_LOGGER, type Database } from './database';
import { sqlMigrations } from './sql-migrations';

/** How long a statement may wait for its turn: there is one session. */
const CONNECT_TIMEOUT_MS = 5000;

/** PostgreSQL in this process, its files below `dataDirectory`. Throws where another process has them open. */
export async function openEmbeddedDatabase(dataDirectory: string): Promise<Database> {
  await mkdir(dataDirectory, { recursive: true });
  const lock = await DataDirectoryLock.acquire(dataDirectory);
  try {
    const database = await openPGlite(join(dataDirectory, 'postgres'));
    return { ...database, close: () => database.close().finally(() => lock.release()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** PostgreSQL in this process that forgets everything when it ends. */
export function openMemoryDatabase(): Promise<Database> {
  return openPGlite();
}

async function openPGlite(folder?: string): Promise<Database> {
  let pglite: PGlite;
  try {
    pglite = await PGlite.create(folder);
  } catch (error) {
    throw new StoreError('postgres', 'failed', { cause: error });
  }
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
    migrating: { ...dataSource(), migrations: sqlMigrations() },
    close: () => pglite.close(),
  };
}
