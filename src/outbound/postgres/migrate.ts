import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { StoreError } from '../../core/ports/store-error';
import type { Database } from './database';
import { adoptMigrationRecords, forgetEarlierRecords, MIGRATIONS_TABLE } from './migration-records';
import { inTransaction, type Query } from './pooled-session';
import { isCollision, isForbidden, startErrorOf, storeErrorOf } from './postgres-error';
import { demandNotLater, exist, outdated, unreadable } from './schema-fitness';
import { contentsOf, demandNoReplicas, demandNothingLater, type Contents } from './schema-removal';
import { sqlMigrations } from './sql-migrations';

/** Any number that no other user of the database's advisory locks has taken. */
const MIGRATION_LOCK = '7234017283807667300';
/**
 * A migration that waits for a lock holds those that it has, and whoever comes waits behind it. Shorter than a call
 * waits for a lock.
 */
const MAX_LOCK_WAIT_MS = 1000;
const LOCK_NOT_AVAILABLE = '55P03';
const HELD = 'another transaction holds what the migration has to change: pg_locks shows it';
const DONE = `SELECT name FROM ${MIGRATIONS_TABLE}`;
/** The tables that calls change; an earlier schema has others. */
const CHANGED = `
  SELECT string_agg(oid::regclass::text, ', ' ORDER BY nth) AS tables
  FROM unnest(ARRAY['tasks', 'task_attachments', 'outbox', 'outbox_history', 'outbox_waiting'])
    WITH ORDINALITY AS one(name, nth)
  JOIN pg_class ON oid = to_regclass(name) AND relkind IN ('r', 'p')`;

/**
 * Brings the schema up to date; returns the names of the migrations that this took. Replicas that start at once wait
 * for each other, unless nothing is left to do; `onWait` is called first. Throws `StoreError`: `UnfitSchemaError` if
 * the schema is for later versions, or if the role may not change it; `busy` if another transaction holds for longer
 * than a second what has to be changed. Nothing is changed then.
 */
export function runMigrations(database: Database, onWait: () => void = () => undefined): Promise<readonly string[]> {
  return withExecutor(database, async (executor, session) => {
    const pending = await pendingIn(session);
    if (pending.length === 0) return [];
    const forward = alone(session, onWait, async () => {
      // Another version may have migrated meanwhile.
      await demandNotLater(queryOf(session));
      await adoptMigrationRecords(session, namesOf(session));
      const migrate = () => executor.executePendingMigrations();
      const done = await inTransaction(queryOf(session), migrate).catch((error: unknown) => {
        if (!isCollision(error)) throw error;
        return inTransaction(queryOf(session), (query) => lockChanged(query).then(migrate));
      });
      return done.map(({ name }) => name);
    });
    return forward.catch((error: unknown) => {
      throw isForbidden(error) ? outdated(`the role may not change it: ${error.message}`) : error;
    });
  });
}

/** Throws `StoreError`: `UnfitSchemaError` unless the schema is up to date. Writes nothing. */
export function demandMigrated(database: Database): Promise<void> {
  return withExecutor(database, async (_, session) => {
    const pending = await pendingIn(session);
    if (pending.length > 0)
      throw outdated(`migrations that it lacks: ${pending.length}, from ${pending[0]} on; MIGRATE is off`);
  });
}

/** What `revertMigrations` deletes; undefined if there is no schema. Throws `StoreError`. */
export function storedIn(database: Database): Promise<Contents | undefined> {
  return withExecutor(database, (_, session) => contentsOf(queryOf(session)));
}

/**
 * Undoes every migration, and with them everything that is stored, or nothing. Throws `StoreError`: `UnfitSchemaError`
 * if replicas are connected, or if the schema is that of a later version.
 */
export function revertMigrations(database: Database): Promise<void> {
  return withExecutor(database, (executor, session) =>
    alone(
      session,
      () => undefined,
      async () => {
        const names = namesOf(session);
        await demandNoReplicas(queryOf(session));
        await inTransaction(queryOf(session), async () => {
          await adoptMigrationRecords(session, names);
          await forgetEarlierRecords(session, names);
          const done = await executor.getExecutedMigrations();
          demandNothingLater(done, names);
          for (let left = done.length; left > 0; left--) await executor.undoLastMigration();
        });
      },
    ),
  );
}

/**
 * A call that has read a table waits to change it while a migration that has locked it waits for the call to end. As
 * long as there are calls, that happens again and again: so the migration takes all tables before it changes one. It
 * may collide with a call once more; then the call is repeated.
 */
async function lockChanged(query: Query): Promise<void> {
  const [row] = await query<{ tables: string | null }>(CHANGED);
  if (row?.tables) await query(`LOCK TABLE ${row.tables} IN ACCESS EXCLUSIVE MODE`);
}

/** Throws `UnfitSchemaError` if the schema is for later versions, or cannot be read. */
async function pendingIn(session: QueryRunner): Promise<readonly string[]> {
  try {
    const query = queryOf(session);
    await demandNotLater(query);
    const done = (await exist(query, MIGRATIONS_TABLE)) ? await query<{ name: string }>(DONE) : [];
    return namesOf(session).filter((name) => !done.some((one) => one.name === name));
  } catch (error) {
    throw isForbidden(error) ? unreadable(error.message) : error;
  }
}

function namesOf({ dataSource }: QueryRunner): string[] {
  return dataSource.migrations.map(({ name }) => name as string);
}

function queryOf(session: QueryRunner): Query {
  return (text, values) => session.query(text, values as unknown[]);
}

async function alone<T>(session: QueryRunner, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const [free] = await queryOf(session)<{ free: boolean }>(`SELECT pg_try_advisory_lock(${MIGRATION_LOCK}) AS free`);
  if (!free?.free) {
    onWait();
    await session.query(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
  }
  await session.query(`SET lock_timeout = ${MAX_LOCK_WAIT_MS}`);
  try {
    return await work();
  } catch (error) {
    if (storeErrorOf(error).code !== LOCK_NOT_AVAILABLE) throw error;
    throw new StoreError('postgres', 'busy', { cause: new Error(HELD, { cause: error }) });
  } finally {
    await session.query(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`);
  }
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
      const executor = new MigrationExecutor(dataSource, session);
      // Whoever uses it begins one for all migrations.
      executor.transaction = 'none';
      return await work(executor, session);
    } finally {
      await session.release();
    }
  } catch (error) {
    throw startErrorOf(error);
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}
