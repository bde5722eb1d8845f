import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { RedisOwner } from '../outbound/redis/redis-owner';
import { UsageError, type Command } from './command';

const REDIS_TIMEOUT_MS = 5000;

export const adoptRedis: Command = {
  name: 'adopt-redis',
  usage: '[--give-up-journal-of DATABASE_ID]',
  description: 'Gives the Redis of another database to this one; journaled writes of the other become dead letters.',

  async run(args) {
    const givenUp = givenUpBy(args);
    const config = loadConfig();
    if (!config.redis) throw new UsageError('REDIS_URL is not set');
    const { url, cluster: isCluster, tlsFiles, prefix } = config.redis;
    const postgres = new PostgresConnection(await openDatabase(config));
    const redis = new RedisConnection({ url, isCluster, tlsFiles, onChange: () => undefined });
    try {
      const identity = await new PostgresStoreServer(postgres).look();
      redis.connect();
      await redis.waitUntilReady(REDIS_TIMEOUT_MS);
      await new RedisOwner(redis.client, new RedisKeys(isCluster, prefix)).adopt(identity, givenUp);
      process.stdout.write(`this Redis belongs to database ${identity.databaseId}\n`);
    } finally {
      await redis.close();
      await postgres.close();
    }
  },
};

function givenUpBy([option, databaseId, ...more]: readonly string[]): string | undefined {
  if (option === undefined) return undefined;
  if (option !== '--give-up-journal-of' || databaseId === undefined || more.length > 0) {
    throw new UsageError(`unknown argument ${JSON.stringify(option)}`);
  }
  return databaseId;
}
