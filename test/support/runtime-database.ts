import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import type { PostgresServer } from './postgres-server';

const GRANTS = join(__dirname, '../../deploy/grants.sql');
const ROLES = ['dossier_owner', 'dossier_app'];

/**
 * A database as docs/upgrading.md says: one role owns the schema, and the service has another, with the least grants.
 */
export interface RuntimeDatabase {
  /** For the service. */
  readonly url: string;
  readonly ownerUrl: string;
  /** Of the superuser, for what a test looks up or breaks. */
  readonly adminUrl: string;
}

/** With an up-to-date schema. */
export async function createRuntimeDatabase(server: PostgresServer): Promise<RuntimeDatabase> {
  const database = await createOwnedDatabase(server);
  await runMigrations(serverDatabase({ url: database.ownerUrl, poolSize: 1 }));
  await grant(database);
  return database;
}

/** Without a schema. */
export async function createOwnedDatabase(server: PostgresServer): Promise<RuntimeDatabase> {
  const adminUrl = await server.createDatabase();
  const as = (role: string) => adminUrl.replace('//postgres@', `//${role}@`);
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    // Roles belong to the server: another database may have them already, or be about to.
    const exists = 'EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL';
    for (const role of ROLES) await client.query(`DO $$ BEGIN CREATE ROLE ${role} LOGIN; ${exists}; END $$`);
    await client.query(`ALTER DATABASE ${new URL(adminUrl).pathname.slice(1)} OWNER TO dossier_owner`);
  } finally {
    await client.end();
  }
  return { adminUrl, ownerUrl: as('dossier_owner'), url: as('dossier_app') };
}

/** As an operator runs it. */
export async function grant({ ownerUrl }: RuntimeDatabase): Promise<void> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  await client.query(readFileSync(GRANTS, 'utf8')).finally(() => client.end());
}
