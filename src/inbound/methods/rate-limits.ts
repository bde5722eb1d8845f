export interface RateWindow {
  /** In this window, the one being counted included. */
  readonly calls: number;
  readonly endsInMs: number;
}

/**
 * Counts calls in windows that the first call opens, and that end by themselves. Counts calls that are refused as well.
 * May forget a window, but neither waits nor fails where a server is away: that is no reason to refuse a call, nor to
 * let all of them through.
 */
export abstract class RateLimits {
  /** `name` tells whose calls of what are counted together, on all replicas. Never rejects. At most one round trip. */
  abstract count(name: string, windowMs: number): Promise<RateWindow>;
}
