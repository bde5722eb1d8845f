export abstract class Clock {
  /** Milliseconds since the epoch, UTC. May step backwards: its order alone must not be relied on. */
  abstract nowMs(): number;
  /** Milliseconds since some fixed moment; never steps. */
  abstract monotonicMs(): number;
  /** Resolves when `ms` have passed. */
  abstract sleep(ms: number): Promise<void>;
}
