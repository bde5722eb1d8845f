export abstract class Clock {
  /** Milliseconds since the epoch, UTC. May step backwards: nothing may rely on its order alone. */
  abstract nowMs(): number;
}
