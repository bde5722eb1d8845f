import { resolve } from 'node:path';
import type { Config } from './config';

/** What this replica works with, one line for each part. Of a URL only the host is shown: the rest may hold a password. */
export function setupLines({ store, redis, nats }: Config): readonly string[] {
  const cluster = redis?.cluster === true ? ' (cluster)' : '';
  return [
    `PostgreSQL: ${store.kind === 'postgres' ? hostsOf(store.url) : embedded(store.dataDir)}`,
    `Redis: ${redis ? hostsOf(redis.url) + cluster : 'a cache inside this process, because REDIS_URL is unset'}`,
    `NATS: ${nats ? hostsOf(nats.url) : 'none, events are at GET /events only, because NATS_URL is unset'}`,
  ];
}

function embedded(dataDir: string | undefined): string {
  if (dataDir === undefined) return 'embedded, nothing is kept after the end of this process';
  return `embedded, the data is in ${resolve(dataDir)}`;
}

function hostsOf(urls: string): string {
  const hosts = urls.split(',').map((url) => new URL(url).host);
  return hosts.join(', ');
}
