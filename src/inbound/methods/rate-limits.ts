export interface RateWindow {
  /** In this window, including the call that is being counted. */
  readonly calls: number;
  readonly endsInMs: number;
}

/** A window that has not ended. */
export interface OpenWindow extends RateWindow {
  readonly name: string;
}

/**
 * Counts calls, refused ones included, in windows: the first call opens a window, and time ends it. May forget a
 * window, but neither waits nor fails while a server is unavailable: an outage is no reason to refuse calls, or to stop
 * limiting them.
 */
export abstract class RateLimits {
  /** Calls with the same `name` are counted together, on all replicas. Never rejects. At most one round trip. */
  abstract count(name: string, windowMs: number): Promise<RateWindow>;

  /**
   * Of the windows in which this replica has counted, those whose names `matches` accepts and that have not ended: at most
   * `limit`, those with most calls first. The calls are those on all replicas, if that can be learned. Never rejects.
   */
  abstract open(limit: number, matches: (name: string) => boolean): Promise<readonly OpenWindow[]>;

  /**
   * Ends these windows. Throws `StoreError` if only this replica has ended them; other replicas may go on counting in them
   * while they count by themselves.
   */
  abstract end(names: readonly string[]): Promise<void>;
}
