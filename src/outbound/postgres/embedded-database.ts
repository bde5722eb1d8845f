import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { Logger } from '@nestjs/common';
import { Client, type ClientConfig } from 'pg';
import { DataDirectoryLock } from './data-directory-lock';
import { SILENT_LOGGER, type Database } from './database';
import { EmbeddedServer } from './embedded-server';
import { emptyDatabase, nameDatabase, unpackEmptyDatabase } from './empty-database';

/** How long a statement may wait for the session: there is only one. */
const CONNECT_TIMEOUT_MS = 5000;
/**
 * How much of a function of PostgreSQL runs before V8 compiles it once more, to run faster. By default it is so little
 * that this takes a third of the CPU time of a start. What a load calls often reaches it within seconds.
 */
const TIERING_BUDGET = '--wasm-tiering-budget=300000000';
/** For the owner alone. */
const PRIVATE = 0o700;

/**
 * PostgreSQL in this process, with its files below `dataDirectory`. Throws if another process has them open, or if they
 * cannot be created.
 */
export async function openEmbeddedDatabase(dataDirectory: string): Promise<Database> {
  await createDirectory(dataDirectory);
  await demandDirectory(dataDirectory);
  const lock = await DataDirectoryLock.acquire(dataDirectory);
  try {
    const folder = join(dataDirectory, 'postgres');
    if (!(await exists(folder))) await createEmptyDatabase(folder);
    await demandDirectory(folder);
    const begin = () => open({ dataDir: folder });
    const database = databaseOf(await begin(), begin);
    return { ...database, close: () => database.close().finally(() => lock.release()) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** PostgreSQL in this process, in memory: its data ends with the process. */
export async function openMemoryDatabase(): Promise<Database> {
  // Its data ends with it, too: there is nothing to recover.
  return databaseOf(await open({ loadDataDir: await emptyDatabase() }), () => Promise.reject(new Error('in memory')));
}

/** Under another name until it is complete: the process may end at any moment. */
async function createEmptyDatabase(folder: string): Promise<void> {
  const incomplete = `${folder}.incomplete`;
  await rm(incomplete, { recursive: true, force: true });
  await mkdir(incomplete, { mode: PRIVATE });
  await unpackEmptyDatabase(incomplete);
  await rename(incomplete, folder);
}

async function open(options: PGliteOptions): Promise<PGlite> {
  setFlagsFromString(TIERING_BUDGET);
  const pglite = await PGlite.create(options);
  await nameDatabase(pglite);
  return pglite;
}

function databaseOf(first: PGlite, begin: () => Promise<PGlite>): Database {
  const logger = new Logger('database');
  const server = new EmbeddedServer(first, begin, (change, reason) => {
    if (change === 'ended') logger.error(`the embedded database has ended, and is started again: ${reason}`);
    else logger.log('the embedded database is there again, with everything that was acknowledged');
  });
  const dataSource = () =>
    ({
      type: 'postgres',
      connectTimeoutMS: CONNECT_TIMEOUT_MS,
      logger: SILENT_LOGGER,
      // An idle connection is not closed: it is the only session there is.
      extra: { Client: clientOf(server), max: 1, idleTimeoutMillis: 0 } as object,
    }) as const;
  return {
    serving: dataSource(),
    migrating: dataSource(),
    isInterruptible: false,
    isRunning: () => server.isRunning,
    check: () => Promise.resolve(),
    close: () => server.close(),
  };
}

/** Each has a connection of its own, so that what becomes of an earlier one is no news of it. */
function clientOf(server: EmbeddedServer) {
  return class extends Client {
    constructor(config: ClientConfig) {
      const { connection, ...rest } = createPgConfig(server as unknown as PGlite);
      // All of them share the session, and what was prepared in it.
      connection.parsedStatements = server.preparedStatements;
      super({ ...config, ...rest, connection } as ClientConfig);
    }
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

async function demandDirectory(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) throw new Error(`${path} is no directory`);
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
