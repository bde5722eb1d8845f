import { Logger } from '@nestjs/common';
import { loadConfig, type Config } from '../app/config';
import { DeadLetters } from '../outbound/redis/dead-letters';
import { withRedis } from './with-connection';

/** The journal that the configuration names, without PostgreSQL: an operator looks at it while that is unavailable. */
export function withDeadLetters<T>(work: (letters: DeadLetters) => Promise<T>): Promise<T> {
  const journal = journalOf(loadConfig());
  Logger.overrideLogger(false);
  return withRedis(journal, (connection, keys) => work(new DeadLetters(connection, keys)));
}

/** Throws if there is none. */
export function journalOf({ redis }: Config): NonNullable<Config['redis']> {
  if (!redis) throw new Error('REDIS_URL is not set: without Redis there is no journal');
  return redis;
}
