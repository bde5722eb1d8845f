import { Clock } from '../../src/core/ports/clock';
import { IdSource } from '../../src/core/ports/id-source';
import type { Random } from './random';
import type { Timeline } from './timeline';

/** The clock of one process: ahead or behind by `skewMs`, and as coarse as `stepMs`. */
export class VirtualClock extends Clock {
  constructor(
    private readonly timeline: Timeline,
    private readonly skewMs: number,
    private readonly stepMs: number,
  ) {
    super();
  }

  nowMs(): number {
    const { nowMs } = this.timeline;
    return Math.floor((nowMs + this.skewMs) / this.stepMs) * this.stepMs;
  }

  monotonicMs(): number {
    return this.timeline.nowMs;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.timeline.after(ms, resolve));
  }

  after(ms: number, run: () => void): () => void {
    let isCancelled = false;
    this.timeline.after(ms, () => {
      if (!isCancelled) run();
    });
    return () => (isCancelled = true);
  }
}

/** Ops count up over all processes of a schedule, so that stories are easy to read. */
export class CountingIdSource extends IdSource {
  private count = 0;

  constructor(
    private readonly random: Random,
    /** The fewer numbers there are to choose from, the more often two choose the same. */
    private readonly maxChoices: number,
  ) {
    super();
  }

  op(): string {
    return `00000000-0000-4000-8000-${String(++this.count).padStart(12, '0')}`;
  }

  suffix(): string {
    return (++this.count).toString(36).padStart(9, '0');
  }

  randomInt(exclusiveMax: number): number {
    return this.random.int(Math.min(exclusiveMax, this.maxChoices));
  }
}
