import type { QueryRunner } from 'typeorm';

/** A name of our own, so that another application which uses TypeORM may share the database. */
export const MIGRATIONS_TABLE = 'dossier_migrations';
/** TypeORM's own name, under which earlier releases recorded their migrations. */
const DEFAULT_TABLE = 'migrations';

/** As TypeORM would create it. */
const CREATE = `
  CREATE TABLE IF NOT EXISTS ${MIGRATIONS_TABLE} (
    id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL
  )`;
/** The last 13 digits of a name are the migration's timestamp. */
const ADOPT = `
  INSERT INTO ${MIGRATIONS_TABLE} ("timestamp", name)
  SELECT right(name, 13)::bigint, name FROM ${DEFAULT_TABLE}
  WHERE name = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM ${MIGRATIONS_TABLE}) ORDER BY 1`;
const FORGET = `DELETE FROM ${DEFAULT_TABLE} WHERE name = ANY ($1::text[])`;
/** Whether the default table can hold records of ours: another application's may have other columns and owners. */
const IS_OPEN = `
  SELECT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass(format('%I.${DEFAULT_TABLE}', current_schema())) AND attname = 'name'
      AND atttypid IN ('varchar'::regtype, 'text'::regtype) AND NOT attisdropped
      AND has_table_privilege(attrelid, 'SELECT') AND has_table_privilege(attrelid, $1)
  ) AS open`;

interface Connection {
  query<Row>(text: string, values: readonly unknown[], timeoutMs: number): Promise<Row[]>;
}

/** The last migration of the schema, by its 13 digits; 0 if there is none. */
export async function schemaVersion(connection: Connection, timeoutMs: number): Promise<number> {
  const text = `SELECT max("timestamp") AS version FROM ${MIGRATIONS_TABLE}`;
  const [row] = await connection.query<{ version: string | null }>(text, [], timeoutMs);
  return Number(row?.version ?? 0);
}

/**
 * Takes along what an earlier release recorded of these migrations. Its own records stay: a replica of that release
 * which starts again must find nothing to migrate. To be called by the holder of the migration lock.
 */
export async function adoptMigrationRecords(session: QueryRunner, names: readonly string[]): Promise<void> {
  await session.query(CREATE);
  if (await isDefaultTableOpen(session, 'SELECT')) await session.query(ADOPT, [names]);
}

/**
 * Deletes what an earlier release recorded of these migrations: once they are undone, no release may take them for
 * done. To be called by the holder of the migration lock.
 */
export async function forgetEarlierRecords(session: QueryRunner, names: readonly string[]): Promise<void> {
  if (await isDefaultTableOpen(session, 'DELETE')) await session.query(FORGET, [names]);
}

async function isDefaultTableOpen(session: QueryRunner, privilege: 'SELECT' | 'DELETE'): Promise<boolean> {
  const [row] = (await session.query(IS_OPEN, [privilege])) as [{ open: boolean }];
  return row.open;
}
