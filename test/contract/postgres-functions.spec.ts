import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Database } from '../../src/outbound/postgres/database';
import { openMemoryDatabase } from '../../src/outbound/postgres/embedded-database';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';

const FOLDER = join(__dirname, '../../migrations/functions');

interface InstalledFunction {
  /** As PostgreSQL tells functions apart: the name and the types of the arguments. */
  signature: string;
  name: string;
  definition: string;
}

describe('the functions that the migrations install', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.sql'));

  const installed = (connection: PostgresConnection) =>
    connection.query<InstalledFunction>(`
      SELECT oid::regprocedure::text AS signature, proname AS name, pg_get_functiondef(oid) AS definition
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY signature`);

  /** Replaces all functions by those of the files, among the same tables. */
  async function installFiles(connection: PostgresConnection): Promise<void> {
    for (const { signature } of await installed(connection)) {
      await connection.query(`DROP FUNCTION IF EXISTS ${signature} CASCADE`);
    }
    for (const file of files) await connection.query(readFileSync(join(FOLDER, file), 'utf8'));
  }

  it.each<[string, () => Promise<Database>]>([
    ['PostgreSQL', async () => serverDatabase({ url: await server.createDatabase(), poolSize: 1 })],
    ['PGlite', openMemoryDatabase],
  ])('are those of migrations/functions, one file each, on %s', async (_, open) => {
    const database = await open();
    const connection = new PostgresConnection(database);
    try {
      await runMigrations(database);
      const byMigrations = await installed(connection);
      await installFiles(connection);
      expect(byMigrations).toEqual(await installed(connection));
      expect(byMigrations.map(({ name }) => name).sort()).toEqual(files.map((file) => basename(file, '.sql')).sort());
      expect(files.length).toBeGreaterThan(10);
    } finally {
      await connection.close();
    }
  });
});
