export abstract class Clock {
  /** Milliseconds since the epoch, UTC. May step backwards: its order alone must not be relied on. */
  abstract nowMs(): number;
  /** Milliseconds since some fixed moment; never steps. */
  abstract monotonicMs(): number;
  /** Resolves when `ms` have passed. */
  abstract sleep(ms: number): Promise<void>;
  /**
   * Calls `run` when `ms` have passed, but not before replies are read that have arrived meanwhile: a process that was
   * stopped, or was busy, must not take its own delay for silence. Returns what cancels it.
   */
  abstract after(ms: number, run: () => void): () => void;
}
