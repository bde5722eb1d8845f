export interface RateWindow {
  /** In this window, the one being counted included. */
  readonly calls: number;
  readonly endsInMs: number;
}

export interface MemoryRateLimitsOptions {
  /** Of one length; those opened first are forgotten first, half of them at once. */
  readonly maxWindows: number;
  /** Milliseconds since any moment. Monotonic, since a clock that steps back would prolong windows. */
  readonly nowMs?: () => number;
}

interface OpenWindow {
  calls: number;
  readonly endsAtMs: number;
}

/**
 * Windows of one length, in two generations: when the younger has lasted a window's length, all windows of the elder
 * have ended and are dropped as a whole. A call thus costs the same however many windows there are.
 */
interface Generations {
  younger: Map<string, OpenWindow>;
  elder: Map<string, OpenWindow>;
  endsAtMs: number;
}

/** Windows in this process. */
export class MemoryRateLimits {
  private readonly generationsByLengthMs = new Map<number, Generations>();
  private readonly maxWindows: number;
  private readonly nowMs: () => number;

  constructor({ maxWindows, nowMs = () => performance.now() }: MemoryRateLimitsOptions) {
    this.maxWindows = maxWindows;
    this.nowMs = nowMs;
  }

  count(name: string, windowMs: number): Promise<RateWindow> {
    const nowMs = this.nowMs();
    const { younger, elder } = this.generations(windowMs, nowMs);
    let window = younger.get(name) ?? elder.get(name);
    if (!window || window.endsAtMs <= nowMs) {
      window = { calls: 0, endsAtMs: nowMs + windowMs };
      younger.set(name, window);
    }
    window.calls += 1;
    // What is added and taken away again may come back a little larger.
    return Promise.resolve({ calls: window.calls, endsInMs: Math.min(windowMs, window.endsAtMs - nowMs) });
  }

  private generations(lengthMs: number, nowMs: number): Generations {
    const known = this.generationsByLengthMs.get(lengthMs);
    if (known && nowMs < known.endsAtMs && known.younger.size < this.maxWindows / 2) return known;
    const next = { younger: new Map(), elder: known?.younger ?? new Map(), endsAtMs: nowMs + lengthMs };
    this.generationsByLengthMs.set(lengthMs, next);
    return next;
  }
}
