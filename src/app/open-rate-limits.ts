import { getHeapStatistics } from 'node:v8';
import type { Provider } from '@nestjs/common';
import { Counter, Registry } from 'prom-client';
import { RateLimits } from '../inbound/methods/rate-limits';
import { MemoryRateLimits } from '../outbound/memory/memory-rate-limits';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisRateLimits } from '../outbound/redis/redis-rate-limits';
import type { Config } from './config';
import { optional } from './wire';

/** Of one length. One takes up to half a kilobyte: all of them a thirty-second of the heap. */
const MAX_RATE_WINDOWS = Math.min(200_000, Math.floor(getHeapStatistics().heap_size_limit / 32 / 512));

/** Shared by Redis if there is one, else of this process. */
export function rateLimits({ redis }: Config): Provider {
  return {
    provide: RateLimits,
    useFactory: (registry: Registry, connection?: RedisConnection) => {
      const local = new MemoryRateLimits({ maxWindows: MAX_RATE_WINDOWS });
      if (!connection) return local;
      const unshared = new Counter({
        name: 'dossier_rate_limit_unshared_calls_total',
        help: 'Calls that the replica counted against a limit by itself: Redis did not answer in time. Sum over replicas.',
        registers: [registry],
      });
      return new RedisRateLimits(connection.client, local, redis?.prefix, () => unshared.inc());
    },
    inject: [Registry, optional(RedisConnection)],
  };
}
