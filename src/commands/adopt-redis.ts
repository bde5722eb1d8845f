import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { RedisOwner } from '../outbound/redis/redis-owner';
import { isConfirmed, type ConfirmationOptions, type Plan } from './confirmation';
import { UsageError } from './exit-code';
import { print } from './output';

const REDIS_TIMEOUT_MS = 5000;

export interface AdoptRedisOptions extends ConfirmationOptions {
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
    const { databaseId } = identity;
    const owner = new RedisOwner(redis.client, new RedisKeys(isCluster, prefix));
    const others = await owner.othersThan(identity, options.giveUpJournalOf);
    // What belongs to no other database is taken from none.
    const mayAdopt = others.databaseIds.length === 0 && !options.dryRun;
    if (!mayAdopt && !(await isConfirmed(planToAdopt(databaseId, others), options))) return;
    await owner.adopt(identity, options.giveUpJournalOf);
    print(options, { databaseId }, `this Redis belongs to database ${databaseId}`);
  } finally {
    await redis.close();
    await postgres.close();
  }
}

function planToAdopt(
  databaseId: string,
  { databaseIds, waiting }: Awaited<ReturnType<RedisOwner['othersThan']>>,
): Plan {
  const from = databaseIds.length > 0 ? ` that belongs to database ${databaseIds.join(' and ')}` : '';
  const lost = databaseIds.length > 0 ? '; replicas of that one will not be ready' : '';
  const letters = waiting > 0 ? `, and turns ${waiting} journaled writes into dead letters` : '';
  const text = `gives the Redis${from} to database ${databaseId}${letters}${lost}`;
  return { command: 'adopt-redis', text, facts: { databaseId, from: databaseIds, deadLetters: waiting } };
}
