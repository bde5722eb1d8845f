import type { Config } from './config';
import { ConfigError } from './environment';
import type { Database } from '../outbound/postgres/database';
import { FellowReplicas } from '../outbound/postgres/fellow-replicas';
import { serverDatabase } from '../outbound/postgres/server-database';
import { commonSettings, reportOtherSettings } from './report-other-settings';

/** Opens what the configuration says; a server may be unavailable. Throws `ConfigError` for a bad data directory. */
export async function openDatabase(config: Config): Promise<Database> {
  const { store } = config;
  if (store.kind === 'postgres') {
    const fellows = new FellowReplicas(config.instanceId, commonSettings(config), reportOtherSettings);
    return serverDatabase({ url: store.url, directUrl: store.directUrl, poolSize: config.postgresPoolSize, fellows });
  }
  const { openEmbeddedDatabase, openMemoryDatabase } = await embeddedDatabase();
  if (store.dataDir === undefined) return openMemoryDatabase();
  try {
    return await openEmbeddedDatabase(store.dataDir);
  } catch (error) {
    throw new ConfigError(`DATA_DIR cannot be used: ${(error as Error).message}`);
  }
}

/** Loaded only if it is asked for: an installation for servers, such as the image, does without its package. */
async function embeddedDatabase() {
  try {
    return await import('../outbound/postgres/embedded-database.js');
  } catch (error) {
    if (!/MODULE_NOT_FOUND$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new ConfigError('DATABASE_URL must be a PostgreSQL: this installation has no embedded database');
  }
}
