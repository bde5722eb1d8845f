export interface RateWindow {
  /** In this window, including the call that is being counted. */
  readonly calls: number;
  readonly endsInMs: number;
}

/**
 * Counts calls, refused ones included, in windows: the first call opens a window, and time ends it. May forget a
 * window, but neither waits nor fails while a server is unavailable: an outage is no reason to refuse calls, or to stop
 * limiting them.
 */
export abstract class RateLimits {
  /** Calls with the same `name` are counted together, on all replicas. Never rejects. At most one round trip. */
  abstract count(name: string, windowMs: number): Promise<RateWindow>;
}
