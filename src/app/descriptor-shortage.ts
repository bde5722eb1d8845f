import { readFileSync } from 'node:fs';
import type { Config } from './config';

/**
 * Of Node itself, the log, the files of a start, the descriptors that listen, and one connection to each of Redis and
 * NATS, with room for their renewal.
 */
const OF_THE_PROCESS = 75;
/** Besides the pool: migrations, probes, and the publisher. */
const OTHER_SESSIONS = 3;

/**
 * What to say if this process may open fewer files and connections than its settings call for; undefined if it may open
 * enough, or if the system does not tell. Node has raised the limit as far as it may by now.
 */
export function descriptorShortage(
  { maxInFlight, store, postgresPoolSize }: Pick<Config, 'maxInFlight' | 'store' | 'postgresPoolSize'>,
  limit = descriptorLimit(),
): string | undefined {
  const sessions = store.kind === 'postgres' ? postgresPoolSize + OTHER_SESSIONS : 0;
  const needed = OF_THE_PROCESS + sessions + maxInFlight;
  if (limit === undefined || limit >= needed) return undefined;
  const settings = ['MAX_IN_FLIGHT', ...(sessions > 0 ? ['POSTGRES_POOL_SIZE'] : [])].join(' and ');
  return (
    `this process may open ${limit} files and connections (ulimit -n), but needs ${needed} for ${settings}: ` +
    'beyond the limit connections are refused'
  );
}

/** Undefined on systems other than Linux, and without a limit. */
function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
