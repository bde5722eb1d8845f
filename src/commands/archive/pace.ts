import { setTimeout as sleep } from 'node:timers/promises';

const SECOND_MS = 1000;

/** Keeps to a rate: turns that were not used in time are lost, so that there is no burst after a pause. */
export class Pace {
  private nextAtMs = 0;

  constructor(private readonly perSecond: number) {}

  /** Resolves when it is time for the next one. */
  async turn(): Promise<void> {
    const nowMs = performance.now();
    const atMs = Math.max(this.nextAtMs, nowMs);
    this.nextAtMs = atMs + SECOND_MS / this.perSecond;
    if (atMs > nowMs) await sleep(atMs - nowMs);
  }
}
