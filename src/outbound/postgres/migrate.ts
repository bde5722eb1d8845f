import { DataSource, MigrationExecutor } from 'typeorm';
import type { Database } from './database';
import { storeErrorOf } from './postgres-error';

/** Any number that no other user of the database's advisory locks has taken. */
const MIGRATION_LOCK = '7234017283807667300';

/**
 * Brings the schema up to date; returns the names of the migrations that this took. Replicas that start at once wait
 * for each other. Throws `StoreError`.
 */
export function runMigrations(database: Database): Promise<readonly string[]> {
  return withExecutor(database, async (executor) => {
    executor.transaction = 'all';
    const done = await executor.executePendingMigrations();
    return done.map(({ name }) => name);
  });
}

/** Undoes every migration, and with them everything that is stored. Throws `StoreError`. */
export function revertMigrations(database: Database): Promise<void> {
  return withExecutor(database, async (executor) => {
    const done = await executor.getExecutedMigrations();
    for (let left = done.length; left > 0; left--) await executor.undoLastMigration();
  });
}

/** Everything happens in one session: an embedded database has no other, and the lock belongs to it. */
async function withExecutor<T>(database: Database, work: (executor: MigrationExecutor) => Promise<T>): Promise<T> {
  const dataSource = new DataSource(database.migrating);
  try {
    await dataSource.initialize();
    const session = dataSource.createQueryRunner();
    try {
      await session.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
      return await work(new MigrationExecutor(dataSource, session)).finally(() =>
        session.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`),
      );
    } finally {
      await session.release();
    }
  } catch (error) {
    throw storeErrorOf(error);
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}
