import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const SAMPLE_INTERVAL_MS = 1000;

export interface LoadBounds {
  /** Messages being answered at one time, a batch being one. */
  readonly maxInFlight: number;
  /** Mean over a second. */
  readonly maxEventLoopDelayMs: number;
}

/**
 * Knows when this process has as much to do as it can do in time. It is better then to refuse a message at once, which
 * its caller can take elsewhere, than to answer all of them too late.
 */
export class LoadShedder {
  private inFlight = 0;
  private eventLoopDelayMs = 0;

  constructor(private readonly bounds: LoadBounds) {}

  get isOverloaded(): boolean {
    const { maxInFlight, maxEventLoopDelayMs } = this.bounds;
    return this.inFlight >= maxInFlight || this.eventLoopDelayMs > maxEventLoopDelayMs;
  }

  /** From now on; before, while the process starts, delays tell nothing of its load. */
  watchEventLoop(): void {
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    const sample = () => {
      // What is measured is the time between two looks, delay or not.
      this.eventLoopDelayMs = delays.mean / 1e6 - RESOLUTION_MS;
      delays.reset();
    };
    setInterval(sample, SAMPLE_INTERVAL_MS).unref();
  }

  /** Counts a message as being answered until it is. */
  async track<T>(answering: Promise<T>): Promise<T> {
    this.inFlight += 1;
    try {
      return await answering;
    } finally {
      this.inFlight -= 1;
    }
  }
}
