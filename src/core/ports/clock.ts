export abstract class Clock {
  /** Milliseconds since the epoch, UTC. May step backwards: nothing may rely on its order alone. */
  abstract nowMs(): number;
  /** Milliseconds since any moment; never steps. */
  abstract monotonicMs(): number;
  /** Resolves when `ms` have passed. */
  abstract sleep(ms: number): Promise<void>;
}
