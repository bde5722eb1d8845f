import type { Cluster, Redis, Result } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';
import { inTime } from './answers';
import { luaSource } from './lua-scripts';

/** A slower Redis is treated as unavailable: a limit must not cost more than the call that it limits. */
const TIMEOUT_MS = 200;
/** After a time-out, Redis is not asked for this long, so that not every call waits for it. */
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

/** Windows that all replicas share. While Redis is unavailable, each replica counts by itself. */
export class RedisRateLimits {
  private notBeforeMs = -Infinity;

  constructor(
    private readonly client: Redis | Cluster,
    private readonly local: Counter,
    /** Before the name of every key. */
    private readonly prefix = '',
  ) {
    client.defineCommand('countCall', { numberOfKeys: 1, lua: luaSource('count-call.lua') });
  }

  async count(name: string, windowMs: number): Promise<RateWindow> {
    // Counted even while Redis replies, so that an outage opens no new window for a caller that has used up the old
    // one.
    const local = this.local.count(name, windowMs);
    return (await this.shared(name, windowMs)) ?? local;
  }

  /** Undefined while Redis does not reply. */
  private async shared(name: string, windowMs: number): Promise<RateWindow | undefined> {
    if (performance.now() < this.notBeforeMs) return undefined;
    try {
      const [calls, endsInMs] = await inTime(
        this.client.countCall(`${this.prefix}cb:rate:${name}`, windowMs),
        TIMEOUT_MS,
      );
      return { calls, endsInMs };
    } catch (error) {
      // The client's own errors come at once; only a time-out makes the call wait.
      if (error instanceof StoreError) this.notBeforeMs = performance.now() + SILENCE_PAUSE_MS;
      return undefined;
    }
  }
}
