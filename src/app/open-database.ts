import type { Config } from './config';
import { ConfigError } from './environment';
import { openEmbeddedDatabase, openMemoryDatabase } from '../outbound/postgres/embedded-database';
import type { Database } from '../outbound/postgres/database';
import { serverDatabase } from '../outbound/postgres/server-database';

/** Opens what the configuration says; a server may still be away then. Throws `ConfigError` for a bad data directory. */
export async function openDatabase({ store, postgresPoolSize }: Config): Promise<Database> {
  if (store.kind === 'postgres') {
    return serverDatabase({ url: store.url, directUrl: store.directUrl, poolSize: postgresPoolSize });
  }
  if (store.dataDir === undefined) return openMemoryDatabase();
  try {
    return await openEmbeddedDatabase(store.dataDir);
  } catch (error) {
    throw new ConfigError(`DATA_DIR cannot be used: ${(error as Error).message}`);
  }
}
