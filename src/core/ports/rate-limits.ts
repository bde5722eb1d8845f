/** Whose calls of which method are counted together. */
export interface CountedCall {
  /** Tells callers apart, and is the same on every replica. */
  readonly caller: string;
  readonly method: string;
}

export interface RateWindow {
  /** In this window, the one being counted included. */
  readonly calls: number;
  readonly endsInMs: number;
}

/**
 * Counts calls in windows that a caller's first call of a method opens, and that end by themselves. Counts calls that
 * are refused as well. May forget a caller, who then begins anew, but neither waits nor fails where a server is away: it
 * is no reason to refuse a call, nor to let all of them through.
 */
export abstract class RateLimits {
  /** Never rejects. At most one round trip. */
  abstract count(call: CountedCall, windowMs: number): Promise<RateWindow>;
}
