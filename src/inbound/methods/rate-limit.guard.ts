import { Injectable, type ExecutionContext } from '@nestjs/common';
import {
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerRequest,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import { JsonRpcError, RATE_LIMITED } from '../json-rpc/json-rpc-error';
import { callOf } from './call-of';
import type { RateLimit, RateLimitRules } from './rate-limit-rules';
import type { RateLimits } from './rate-limits';

type ThrottlerStorageRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Counts a call of a limited method, and refuses it if it is one too many. The library itself would read the caller
 * from an HTTP request and write to its response, but calls also come in batches and over NATS.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  /** Most methods have no limit. The library would look for its decorators first, which takes longer than this. */
  protected override shouldSkip(context: ExecutionContext): Promise<boolean> {
    return Promise.resolve(this.commonOptions.skipIf?.(context) ?? false);
  }

  protected override async handleRequest({ context, limit, ttl: windowMs }: ThrottlerRequest): Promise<true> {
    const call = callOf(context);
    const window = `${call.method}:${call.callerKey}`;
    const counted = await this.storageService.increment(window, windowMs, limit, windowMs, 'default');
    const endsInMs = Math.ceil(counted.timeToExpire * 1000);
    const { isBlocked: refused } = counted;
    call.reportRateLimit({ limit, remaining: Math.max(0, limit - counted.totalHits), endsInMs, refused });
    if (!refused) return true;
    throw new JsonRpcError(RATE_LIMITED, 'Rate limit exceeded', {
      code: 'RATE_LIMITED',
      limit,
      windowMs,
      retryAfterMs: endsInMs,
    });
  }
}

/** What the guard is to be provided with. Calls of a method without a limit are not counted. */
export function rateLimitOptions(rules: RateLimitRules, rateLimits: RateLimits): ThrottlerModuleOptions {
  const ruleOf = (context: ExecutionContext) => rules.of(callOf(context).method);
  return {
    skipIf: (context) => ruleOf(context) === undefined,
    throttlers: [
      {
        limit: (context) => (ruleOf(context) as RateLimit).limit,
        ttl: (context) => (ruleOf(context) as RateLimit).windowMs,
      },
    ],
    storage: new RateLimitStorage(rateLimits),
  };
}

class RateLimitStorage implements ThrottlerStorage {
  constructor(private readonly rateLimits: RateLimits) {}

  /** The library expects seconds; they are not rounded, because the guard needs milliseconds again. */
  async increment(window: string, windowMs: number, limit: number): Promise<ThrottlerStorageRecord> {
    const { calls, endsInMs } = await this.rateLimits.count(window, windowMs);
    const seconds = endsInMs / 1000;
    return { totalHits: calls, timeToExpire: seconds, isBlocked: calls > limit, timeToBlockExpire: seconds };
  }
}
