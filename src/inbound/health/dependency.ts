/** Generous, because a distant server may take seconds to answer without being down. */
export const PING_TIMEOUT_MS = 3000;

/** A server that this service needs, as the operator sees it. */
export interface Dependency {
  readonly name: 'postgres' | 'redis' | 'nats';
  /** Resolves if the server answers; rejects within `timeoutMs` if it does not. */
  ping(timeoutMs: number): Promise<void>;
  /**
   * Why the server should not be relied on although it answers; undefined if there is no reason. Never rejects, and
   * takes no longer than `ping`.
   */
  unfitness?(timeoutMs: number): Promise<string | undefined>;
}
