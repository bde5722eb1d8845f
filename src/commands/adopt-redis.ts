import { loadConfig } from '../app/config';
import type { StoreIdentity } from '../core/ports/store-identity';
import { PostgresStoreServer } from '../outbound/postgres/postgres-store-server';
import { RedisOwner } from '../outbound/redis/redis-owner';
import { isConfirmed, type ConfirmationOptions, type Plan } from './confirmation';
import { UsageError } from './exit-code';
import { print } from './output';
import { withPostgres, withRedis } from './with-connection';

export interface AdoptRedisOptions extends ConfirmationOptions {
  /** The id of the database whose journal is given up. */
  readonly giveUpJournalOf?: string;
}

export async function adoptRedis(options: AdoptRedisOptions): Promise<void> {
  const config = loadConfig();
  if (!config.redis) throw new UsageError('REDIS_URL is not set');
  const { redis } = config;
  await withPostgres(config, async (postgres) => {
    const identity = await new PostgresStoreServer(postgres).look();
    await withRedis(redis, ({ client }, keys) => adopt(new RedisOwner(client, keys), identity, options));
  });
}

async function adopt(owner: RedisOwner, identity: StoreIdentity, options: AdoptRedisOptions): Promise<void> {
  const { databaseId } = identity;
  const others = await owner.othersThan(identity, options.giveUpJournalOf);
  // What belongs to no other database is taken from none.
  const mayAdopt = others.databaseIds.length === 0 && !options.dryRun;
  if (!mayAdopt && !(await isConfirmed(planToAdopt(databaseId, others), options))) return;
  await owner.adopt(identity, options.giveUpJournalOf);
  print(options, { databaseId }, `this Redis belongs to database ${databaseId}`);
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
