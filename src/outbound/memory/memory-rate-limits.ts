export interface RateWindow {
  /** Calls in this window, including the one being counted. */
  readonly calls: number;
  readonly endsInMs: number;
}

export interface CountedWindow extends RateWindow {
  /** Of the window, for who counts it elsewhere, too: calls that are not counted there yet. 0 at first. */
  readonly elsewhere: { missing: number };
}

export interface NamedWindow extends RateWindow {
  readonly name: string;
}

export interface MemoryRateLimitsOptions {
  /** The limit for windows of one length. The windows opened first are forgotten first, half of them at once. */
  readonly maxWindows: number;
  /** Milliseconds since any fixed moment. It must be monotonic: a clock that steps back would extend windows. */
  readonly nowMs?: () => number;
}

interface OpenWindow {
  calls: number;
  readonly endsAtMs: number;
  readonly elsewhere: { missing: number };
}

/**
 * Windows of one length in two generations. When the younger generation has lasted for the length of a window, all
 * windows of the elder one have ended and are dropped together. The cost of a call thus does not depend on the number
 * of windows.
 */
interface Generations {
  younger: Map<string, OpenWindow>;
  elder: Map<string, OpenWindow>;
  endsAtMs: number;
}

/** Counts the calls of this process. */
export class MemoryRateLimits {
  private readonly generationsByLengthMs = new Map<number, Generations>();
  private readonly maxWindows: number;
  private readonly nowMs: () => number;

  constructor({ maxWindows, nowMs = () => performance.now() }: MemoryRateLimitsOptions) {
    this.maxWindows = maxWindows;
    this.nowMs = nowMs;
  }

  count(name: string, windowMs: number): Promise<CountedWindow> {
    const nowMs = this.nowMs();
    const { younger, elder } = this.generations(windowMs, nowMs);
    let window = younger.get(name) ?? elder.get(name);
    if (!window || window.endsAtMs <= nowMs) {
      window = { calls: 0, endsAtMs: nowMs + windowMs, elsewhere: { missing: 0 } };
      younger.set(name, window);
    }
    window.calls += 1;
    // The difference may be slightly above `windowMs`, because floating-point sums are rounded.
    const { calls, elsewhere } = window;
    return Promise.resolve({ calls, endsInMs: Math.min(windowMs, window.endsAtMs - nowMs), elsewhere });
  }

  open(limit: number, matches: (name: string) => boolean): Promise<readonly NamedWindow[]> {
    const nowMs = this.nowMs();
    const windows: NamedWindow[] = [];
    for (const { younger, elder } of this.generationsByLengthMs.values()) {
      for (const generation of [younger, elder]) {
        for (const [name, { calls, endsAtMs }] of generation) {
          // The same name in both: the younger one counts.
          if (generation === elder && younger.has(name)) continue;
          if (endsAtMs > nowMs && matches(name)) windows.push({ name, calls, endsInMs: endsAtMs - nowMs });
        }
      }
    }
    return Promise.resolve(windows.sort((a, b) => b.calls - a.calls).slice(0, limit));
  }

  end(names: readonly string[]): Promise<void> {
    for (const { younger, elder } of this.generationsByLengthMs.values()) {
      for (const name of names) {
        younger.delete(name);
        elder.delete(name);
      }
    }
    return Promise.resolve();
  }

  private generations(lengthMs: number, nowMs: number): Generations {
    const known = this.generationsByLengthMs.get(lengthMs);
    if (known && nowMs < known.endsAtMs && known.younger.size < this.maxWindows / 2) return known;
    const next = { younger: new Map(), elder: known?.younger ?? new Map(), endsAtMs: nowMs + lengthMs };
    this.generationsByLengthMs.set(lengthMs, next);
    return next;
  }
}
