import type { Clock } from '../../core/ports/clock';

const SECOND_MS = 1000;

/** Keeps to a rate: turns that were not used in time are lost, so that there is no burst after a pause. */
export class Pace {
  private nextAtMs = 0;

  constructor(
    private readonly perSecond: number,
    private readonly clock: Clock,
  ) {}

  /** Resolves when it is time for the next one. */
  async turn(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const atMs = Math.max(this.nextAtMs, nowMs);
    this.nextAtMs = atMs + SECOND_MS / this.perSecond;
    if (atMs > nowMs) await this.clock.sleep(atMs - nowMs);
  }
}
