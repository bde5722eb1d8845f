import type { Config } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';

const REDIS_TIMEOUT_MS = 5000;

type RedisConfig = NonNullable<Config['redis']>;

/**
 * For a command that needs no use case: the database as it is, without migrations. Throws `StoreError` if its sessions
 * are of no use, as behind a pooler in transaction mode.
 */
export async function withPostgres<T>(
  config: Config,
  work: (connection: PostgresConnection) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(config);
  const connection = new PostgresConnection(database);
  try {
    await database.check();
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Throws `StoreError` if Redis cannot be reached. */
export async function withRedis<T>(
  { url, cluster, tlsFiles, prefix }: RedisConfig,
  work: (connection: RedisConnection, keys: RedisKeys) => Promise<T>,
): Promise<T> {
  const connection = new RedisConnection({ url, isCluster: cluster, tlsFiles, onChange: () => undefined });
  connection.connect();
  try {
    await connection.waitUntilReady(REDIS_TIMEOUT_MS);
    return await work(connection, new RedisKeys(cluster, prefix));
  } catch (error) {
    throw connection.explained(error);
  } finally {
    await connection.close();
  }
}
