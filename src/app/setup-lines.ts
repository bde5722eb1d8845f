import { resolve } from 'node:path';
import type { Config } from './config';

/** What this replica works with, one line for each part. */
export function setupLines({ store, redis, nats, tracing }: Config): readonly string[] {
  return [
    store.kind === 'postgres' ? store.description : `PostgreSQL: embedded, ${placeOf(store.dataDir)}`,
    redis?.description ?? 'Redis: a cache inside this process, because REDIS_URL is unset',
    nats?.description ?? 'NATS: none, events are at GET /events only, because NATS_URL is unset',
    ...(tracing ? [`OpenTelemetry: traces go to ${tracing.collector} (${tracing.protocol})`] : []),
  ];
}

function placeOf(dataDir: string | undefined): string {
  return dataDir === undefined ? 'nothing is kept after the end of this process' : `the data is in ${resolve(dataDir)}`;
}
