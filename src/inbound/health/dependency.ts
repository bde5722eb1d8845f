/** For the question how a server is: one that is far away serves calls that take seconds, and is not down for that. */
export const PING_TIMEOUT_MS = 3000;

/** A server that this one needs, as an operator sees it. */
export interface Dependency {
  readonly name: 'postgres' | 'redis' | 'nats';
  /** Resolves while it answers; rejects, within `timeoutMs`, while it does not. */
  ping(timeoutMs: number): Promise<void>;
  /**
   * Why it may fail its duty although it answers; undefined if nothing is known against it. Never rejects, and takes no
   * longer than `ping`.
   */
  unfitness?(timeoutMs: number): Promise<string | undefined>;
}
