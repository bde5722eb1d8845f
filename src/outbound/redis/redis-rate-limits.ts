import type { Cluster, Redis, Result } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';
import { inTime } from './answers';
import { luaSource } from './lua-scripts';
import { nothingIfWrongType, orStoreError } from './redis-error';

/** A slower Redis is treated as unavailable: a limit must not cost more than the call that it limits. */
const TIMEOUT_MS = 200;
/** For an operator, who can wait. */
const LOOK_TIMEOUT_MS = 2000;
/** After a time-out, Redis is not asked for this long, so that not every call waits for it. */
const SILENCE_PAUSE_MS = 1000;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    countCalls(window: string, windowMs: number, calls: number): Result<[calls: number, endsInMs: number], Context>;
  }
}

interface RateWindow {
  readonly calls: number;
  readonly endsInMs: number;
}

interface NamedWindow extends RateWindow {
  readonly name: string;
}

interface Counter {
  count(name: string, windowMs: number): Promise<RateWindow & { readonly elsewhere: { missing: number } }>;
  open(limit: number, matches: (name: string) => boolean): Promise<readonly NamedWindow[]>;
  end(names: readonly string[]): Promise<void>;
}

/**
 * Windows that all replicas share. While Redis is unavailable, each replica counts by itself; what it has counted is
 * added when Redis answers again.
 */
export class RedisRateLimits {
  private notBeforeMs = -Infinity;

  constructor(
    private readonly client: Redis | Cluster,
    private readonly local: Counter,
    /** Before the name of every key. */
    private readonly prefix = '',
    /** Called for each call that this replica has counted by itself. */
    private readonly onUnshared: () => void = () => undefined,
  ) {
    client.defineCommand('countCalls', { numberOfKeys: 1, lua: luaSource('count-calls.lua') });
  }

  async count(name: string, windowMs: number): Promise<RateWindow> {
    // Counted even while Redis replies, so that an outage opens no new window for a caller that has used up the old
    // one.
    const { elsewhere, ...local } = await this.local.count(name, windowMs);
    elsewhere.missing += 1;
    const shared = await this.shared(name, windowMs, elsewhere);
    if (!shared) this.onUnshared();
    return shared ?? local;
  }

  async open(limit: number, matches: (name: string) => boolean): Promise<readonly NamedWindow[]> {
    const local = await this.local.open(limit, matches);
    try {
      const shared = await inTime(Promise.all(local.map(({ name }) => this.look(name))), LOOK_TIMEOUT_MS);
      return shared.filter((window) => window !== undefined).sort((a, b) => b.calls - a.calls);
    } catch {
      return local;
    }
  }

  async end(names: readonly string[]): Promise<void> {
    await this.local.end(names);
    await inTime(orStoreError(Promise.all(names.map((name) => this.client.del(this.keyOf(name))))), LOOK_TIMEOUT_MS);
  }

  /** Undefined if it has ended, or holds a foreign value. */
  private async look(name: string): Promise<NamedWindow | undefined> {
    const key = this.keyOf(name);
    const [calls, endsInMs] = await Promise.all([
      this.client.get(key).catch(nothingIfWrongType),
      this.client.pttl(key),
    ]);
    return Number(calls) > 0 && endsInMs > 0 ? { name, calls: Number(calls), endsInMs } : undefined;
  }

  private keyOf(name: string): string {
    return `${this.prefix}cb:rate:${name}`;
  }

  /** Undefined while Redis does not reply. */
  private async shared(
    name: string,
    windowMs: number,
    elsewhere: { missing: number },
  ): Promise<RateWindow | undefined> {
    if (performance.now() < this.notBeforeMs) return undefined;
    const sent = elsewhere.missing;
    elsewhere.missing = 0;
    const counting = this.client.countCalls(this.keyOf(name), windowMs, sent);
    // A Redis that is late counts nevertheless, unless the connection ends before.
    counting.catch(() => (elsewhere.missing += sent));
    try {
      const [calls, endsInMs] = await inTime(counting, TIMEOUT_MS);
      return { calls, endsInMs };
    } catch (error) {
      // The client's own errors come at once; only a time-out makes the call wait.
      if (error instanceof StoreError) this.notBeforeMs = performance.now() + SILENCE_PAUSE_MS;
      return undefined;
    }
  }
}
