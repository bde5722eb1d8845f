import type { Cluster, Redis, Result } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';
import { inTime } from './answers';
import { luaSource } from './lua-scripts';

/** A Redis that is slower than this is as good as away: a limit must not cost more than the call that it limits. */
const TIMEOUT_MS = 200;
/** How long a Redis that has not answered is not asked again, so that not every call waits for it. */
const SILENCE_PAUSE_MS = 1000;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    countCall(window: string, windowMs: number): Result<[calls: number, endsInMs: number], Context>;
  }
}

interface RateWindow {
  readonly calls: number;
  readonly endsInMs: number;
}

interface Counter {
  count(name: string, windowMs: number): Promise<RateWindow>;
}

/** Windows that all replicas share; while Redis is away, those of this replica. */
export class RedisRateLimits {
  private notBeforeMs = -Infinity;

  constructor(
    private readonly client: Redis | Cluster,
    private readonly local: Counter,
  ) {
    client.defineCommand('countCall', { numberOfKeys: 1, lua: luaSource('count-call.lua') });
  }

  async count(name: string, windowMs: number): Promise<RateWindow> {
    // Always, so that an outage opens no new window for a caller that has used up its own.
    const local = this.local.count(name, windowMs);
    return (await this.shared(name, windowMs)) ?? local;
  }

  /** Undefined while Redis cannot say. */
  private async shared(name: string, windowMs: number): Promise<RateWindow | undefined> {
    if (performance.now() < this.notBeforeMs) return undefined;
    try {
      const [calls, endsInMs] = await inTime(this.client.countCall(`cb:rate:${name}`, windowMs), TIMEOUT_MS);
      return { calls, endsInMs };
    } catch (error) {
      // The client's own errors come at once: only silence costs anything.
      if (error instanceof StoreError) this.notBeforeMs = performance.now() + SILENCE_PAUSE_MS;
      return undefined;
    }
  }
}
