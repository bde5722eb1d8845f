import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { StoreError } from '../../core/ports/store-error';
import type { Database } from './database';
import { adoptMigrationRecords, forgetEarlierRecords, MIGRATIONS_TABLE } from './migration-records';
import { isRefusal, storeErrorOf } from './postgres-error';
import { sqlMigrations } from './sql-migrations';

/** Any number that no other user of the database's advisory locks has taken. */
const MIGRATION_LOCK = '7234017283807667300';

/**
 * Brings the schema up to date; returns the names of the migrations that this took. Replicas that start at once wait
 * for each other, unless nothing is left to do. Throws `StoreError`.
 */
export function runMigrations(database: Database): Promise<readonly string[]> {
  return withExecutor(database, async (executor, session) => {
    const pending = await executor.getPendingMigrations();
    if (pending.length === 0) return [];
    return alone(session, async () => {
      await adoptMigrationRecords(session, namesOf(session));
      executor.transaction = 'all';
      const done = await executor.executePendingMigrations();
      return done.map(({ name }) => name);
    });
  });
}

/** Undoes every migration, and with them everything that is stored. Throws `StoreError`. */
export function revertMigrations(database: Database): Promise<void> {
  return withExecutor(database, (executor, session) =>
    alone(session, async () => {
      const names = namesOf(session);
      await adoptMigrationRecords(session, names);
      await forgetEarlierRecords(session, names);
      const done = await executor.getExecutedMigrations();
      for (let left = done.length; left > 0; left--) await executor.undoLastMigration();
    }),
  );
}

function namesOf({ dataSource }: QueryRunner): string[] {
  return dataSource.migrations.map(({ name }) => name as string);
}

async function alone<T>(session: QueryRunner, work: () => Promise<T>): Promise<T> {
  await session.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
  return work().finally(() => session.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`));
}

/** All work is done in one session: an embedded database has no other, and the lock belongs to the session. */
async function withExecutor<T>(
  database: Database,
  work: (executor: MigrationExecutor, session: QueryRunner) => Promise<T>,
): Promise<T> {
  const dataSource = new DataSource({
    ...database.migrating,
    migrations: sqlMigrations(),
    migrationsTableName: MIGRATIONS_TABLE,
  });
  try {
    await dataSource.initialize();
    const session = dataSource.createQueryRunner();
    try {
      return await work(new MigrationExecutor(dataSource, session), session);
    } finally {
      await session.release();
    }
  } catch (error) {
    throw isRefusal(error) ? new StoreError('postgres', 'failed', { cause: error }) : storeErrorOf(error);
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}
