/** A server that this one needs, as an operator sees it. */
export abstract class Dependency {
  abstract readonly name: 'postgres' | 'redis' | 'nats';
  /** Resolves while it answers; rejects, within `PING_TIMEOUT_MS`, while it does not. */
  abstract ping(): Promise<void>;
  /**
   * Why it may fail its duty although it answers; undefined where nothing is known against it. Never rejects, and takes
   * no longer than `ping`.
   */
  unfitness?(): Promise<string | undefined>;
}
