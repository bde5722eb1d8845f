import type { PostgresConnection } from './postgres-connection';

const FACTS = `
  SELECT database_id, epoch, (SELECT max("timestamp") FROM dossier_migrations) AS schema_version
  FROM database_identity`;

/** What an operator wants to know of the database. */
export interface DatabaseFacts {
  readonly id: string;
  readonly epoch: string;
  /** The last migration, by its 13 digits. */
  readonly schemaVersion: number;
}

/** Of whichever server is reached. Changes nothing. Throws `StoreError`. */
export async function databaseFacts(connection: PostgresConnection): Promise<DatabaseFacts | undefined> {
  type Row = { database_id: string; epoch: string; schema_version: string };
  const [row] = await connection.queryAnyServer<Row>(FACTS);
  return row && { id: row.database_id, epoch: row.epoch, schemaVersion: Number(row.schema_version) };
}
