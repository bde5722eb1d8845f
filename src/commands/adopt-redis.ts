import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { RedisOwner } from '../outbound/redis/redis-owner';
import { UsageError } from './exit-code';
import { print, type OutputOptions } from './output';

const REDIS_TIMEOUT_MS = 5000;

export interface AdoptRedisOptions extends OutputOptions {
  /** The id of the database whose journal is given up. */
  readonly giveUpJournalOf?: string;
}

export async function adoptRedis(options: AdoptRedisOptions): Promise<void> {
  const config = loadConfig();
  if (!config.redis) throw new UsageError('REDIS_URL is not set');
  const { url, cluster: isCluster, tlsFiles, prefix } = config.redis;
  const postgres = new PostgresConnection(await openDatabase(config));
  const redis = new RedisConnection({ url, isCluster, tlsFiles, onChange: () => undefined });
  try {
    const identity = await new PostgresStoreServer(postgres).look();
    redis.connect();
    await redis.waitUntilReady(REDIS_TIMEOUT_MS);
    await new RedisOwner(redis.client, new RedisKeys(isCluster, prefix)).adopt(identity, options.giveUpJournalOf);
    const { databaseId } = identity;
    print(options, { databaseId }, `this Redis belongs to database ${databaseId}`);
  } finally {
    await redis.close();
    await postgres.close();
  }
}
