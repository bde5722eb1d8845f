import type { Config } from './config';
import { openEmbeddedDatabase, openMemoryDatabase } from './outbound/postgres/embedded-database';
import type { Database } from './outbound/postgres/database';
import { serverDatabase } from './outbound/postgres/server-database';

const POSTGRES_POOL_SIZE = 16;

/** Opens what the configuration says; a server may still be away then. Throws where a data directory is in use. */
export function openDatabase({ store }: Config): Promise<Database> {
  if (store.kind === 'postgres') {
    return Promise.resolve(serverDatabase({ url: store.url, poolSize: POSTGRES_POOL_SIZE }));
  }
  return store.dataDir === undefined ? openMemoryDatabase() : openEmbeddedDatabase(store.dataDir);
}
