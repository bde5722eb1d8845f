import { StoreError } from '../../core/ports/store-error';
import { UnfitSchemaError } from '../../core/ports/unfit-schema-error';
import { MIGRATIONS_TABLE } from './migration-records';
import type { Query } from './pooled-session';
import { lastMigration } from './sql-migrations';

/** What `readFit` needs. Every version of the service reads it: no migration may rename or remove any of this. */
export const SCHEMA_COLUMNS =
  `(SELECT max("timestamp") FROM ${MIGRATIONS_TABLE}) AS migrated_to, ` +
  '(SELECT compatible_from FROM schema_compatibility) AS compatible_from, ' +
  '(SELECT first_release FROM schema_compatibility) AS first_release';
const READ = `SELECT ${SCHEMA_COLUMNS}`;
const READ_COMPATIBILITY = 'SELECT compatible_from, first_release FROM schema_compatibility';
const EXIST = 'SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AS exist';

interface Compatibility {
  /** The last migration that a version must carry at least; null if nothing is noted. */
  readonly compatible_from: string | null;
  /** The first release that carries it. */
  readonly first_release: string | null;
}

export interface SchemaRow extends Compatibility {
  /** The last migration of the schema; null if it has none. */
  readonly migrated_to: string | null;
}

/**
 * Reads on whichever server is there, and makes sure that this version of the service may use its schema: the statement
 * returns `SCHEMA_COLUMNS` with each of its rows, one at least. Throws `StoreError`.
 */
export async function readFit<Row extends SchemaRow>(
  connection: { readonly queryAnyServer: Query },
  text: string,
  values?: readonly unknown[],
): Promise<[Row, ...Row[]]> {
  try {
    const rows = (await connection.queryAnyServer<Row>(text, values)) as [Row, ...Row[]];
    demandFit(rows[0]);
    return rows;
  } catch (error) {
    // Another version may have changed what the statement needs.
    if (!(error instanceof StoreError) || error.outcome !== 'failed' || error instanceof UnfitSchemaError) throw error;
    demandFit(await schemaOf((text, values) => connection.queryAnyServer(text, values)));
    throw error;
  }
}

/** Throws `UnfitSchemaError` if this version of the service is too old for the schema. It may be too new. */
export async function demandNotLater(query: Query): Promise<void> {
  if (!(await exist(query, 'schema_compatibility'))) return;
  const [row] = await query<Compatibility>(READ_COMPATIBILITY);
  demandCompatible(row);
}

/** Whether both tables are there. */
export async function exist(query: Query, one: string, other = one): Promise<boolean> {
  const [row] = await query<{ exist: boolean }>(EXIST, [one, other]);
  return row?.exist === true;
}

/** Undefined if the schema is missing, or older than what it notes about itself. */
async function schemaOf(query: Query): Promise<SchemaRow | undefined> {
  if (!(await exist(query, 'schema_compatibility', MIGRATIONS_TABLE))) return undefined;
  const [row] = await query<SchemaRow>(READ);
  return row;
}

function demandCompatible(schema: Compatibility | undefined): void {
  if (Number(schema?.compatible_from ?? 0) <= lastMigration()) return;
  throw new UnfitSchemaError(
    `the schema needs release ${schema?.first_release} or later, with the migration ${schema?.compatible_from}: ` +
      `this one ends with ${lastMigration()}. Start a later release`,
  );
}

/** `how` says how it is seen, or why the service does not change it. */
export function outdated(how: string): UnfitSchemaError {
  return new UnfitSchemaError(
    `the schema is missing, or older than this release (${how}): run \`dossier migrate up\` as the role that owns it`,
  );
}

/** `how` is what the server said. */
export function unreadable(how: string): UnfitSchemaError {
  return new UnfitSchemaError(
    `the role may not read the schema (${how}): run deploy/grants.sql as the role that owns it, see docs/upgrading.md`,
  );
}

function demandFit(schema: SchemaRow | undefined): void {
  demandCompatible(schema);
  const last = schema?.migrated_to ?? undefined;
  if (Number(last ?? 0) < lastMigration()) throw outdated(`its last migration is ${last ?? 'unknown'}`);
}
