import type { Client } from 'pg';
import { runMigrations } from '../../src/outbound/postgres/migrate';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { withPostgres } from '../support/setups';

export interface MigratedServer {
  readonly url: string;
  /** With one session. */
  readonly connection: PostgresConnection;
}

/** For the tests of the block in which it is called: a server of their own with the schema, and what `fill` adds. */
export function migratedServer(fill?: (client: Client) => Promise<unknown>): MigratedServer {
  let server: PostgresServer | undefined;
  let connection: PostgresConnection | undefined;
  beforeAll(async () => {
    server = await startPostgres();
    await runMigrations(serverDatabase({ url: server.url, poolSize: 1 }));
    connection = new PostgresConnection(serverDatabase({ url: server.url, poolSize: 1 }));
    if (fill) await withPostgres(server.url, fill);
  });
  afterAll(async () => {
    await connection?.close();
    await server?.stop();
  });
  return {
    get url() {
      return (server as PostgresServer).url;
    },
    get connection() {
      return connection as PostgresConnection;
    },
  };
}
