import { Logger } from '@nestjs/common';
import { loadConfig, type Config } from '../app/config';
import { DeadLetters } from '../outbound/redis/dead-letters';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';

const REDIS_TIMEOUT_MS = 2000;

/** The journal that the configuration names, without PostgreSQL: an operator looks at it while that is unavailable. */
export async function withDeadLetters<T>(work: (letters: DeadLetters) => Promise<T>): Promise<T> {
  const { url, cluster, tlsFiles, prefix } = journalOf(loadConfig());
  Logger.overrideLogger(false);
  const connection = new RedisConnection({ url, isCluster: cluster, tlsFiles, onChange: () => undefined });
  connection.connect();
  try {
    await connection.waitUntilReady(REDIS_TIMEOUT_MS);
    return await work(new DeadLetters(connection, new RedisKeys(cluster, prefix)));
  } finally {
    await connection.close();
  }
}

/** Throws if there is none. */
export function journalOf({ redis }: Config): NonNullable<Config['redis']> {
  if (!redis) throw new Error('REDIS_URL is not set: without Redis there is no journal');
  return redis;
}
