import type { INestApplicationContext } from '@nestjs/common';
import { loadConfig, type Config } from '../app/config';
import { CacheReset } from '../outbound/redis/cache-reset';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisKeys } from '../outbound/redis/redis-keys';
import { isConfirmed, type ConfirmationOptions } from './confirmation';
import { print } from './output';
import { withStores } from './with-stores';

/** Needs PostgreSQL, too: while it is unavailable, the cache may be all that answers. */
export async function resetCache(options: ConfirmationOptions): Promise<void> {
  const config = loadConfig();
  const { redis } = config;
  if (!redis) throw new Error('REDIS_URL is not set: the cache is inside each replica, and a restart empties it');
  // Another version must not write.
  const work = (context: INestApplicationContext) => resetIn(context, redis, options);
  await withStores({ ...config, migrates: false }, work);
}

async function resetIn(
  context: INestApplicationContext,
  { cluster, prefix, description }: NonNullable<Config['redis']>,
  options: ConfirmationOptions,
): Promise<void> {
  const reset = new CacheReset(context.get(RedisConnection).client, new RedisKeys(cluster, prefix));
  const tasks = await reset.count();
  const text = `makes the cache forget ${tasks} tasks (${description}); journaled writes stay, and reads ask PostgreSQL until it is filled again`;
  if (!(await isConfirmed({ command: 'cache reset', text, facts: { tasks } }, options))) return;
  const forgotten = await reset.run();
  print(options, { forgotten }, `forgotten tasks: ${forgotten}`);
}
