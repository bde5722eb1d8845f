import { Module } from '@nestjs/common';
import { RateLimits } from '../inbound/methods/rate-limits';
import { MemoryRateLimits } from '../outbound/memory/memory-rate-limits';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { RedisRateLimits } from '../outbound/redis/redis-rate-limits';

const MAX_WINDOWS = 200_000;

/** Windows in Redis if it is configured, and in this process while it is unavailable. */
@Module({
  providers: [
    {
      provide: RateLimits,
      useFactory: (redis?: RedisConnection): RateLimits => {
        const local = new MemoryRateLimits({ maxWindows: MAX_WINDOWS });
        return redis ? new RedisRateLimits(redis.client, local) : local;
      },
      inject: [{ token: RedisConnection, optional: true }],
    },
  ],
  exports: [RateLimits],
})
export class RateLimitsModule {}
