import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const SAMPLE_INTERVAL_MS = 1000;

export interface LoadBounds {
  /** Messages in flight at the same time; a batch is one message. */
  readonly maxInFlight: number;
  /** Mean over a second. */
  readonly maxEventLoopDelayMs: number;
}

/**
 * Knows when this process has as much to do as it can do in time. It is better then to refuse a message at once, so
 * that its caller can ask another replica, than to answer all messages too late.
 */
export class LoadShedder {
  private inFlight = 0;
  private eventLoopDelayMs = 0;

  constructor(private readonly bounds: LoadBounds) {}

  get isOverloaded(): boolean {
    const { maxInFlight, maxEventLoopDelayMs } = this.bounds;
    return this.inFlight >= maxInFlight || this.eventLoopDelayMs > maxEventLoopDelayMs;
  }

  /** To be called once the process has started: until then, delays say nothing about its load. */
  watchEventLoop(): void {
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    const sample = () => {
      // The monitor measures the time between two ticks, which includes the resolution.
      this.eventLoopDelayMs = delays.mean / 1e6 - RESOLUTION_MS;
      delays.reset();
    };
    setInterval(sample, SAMPLE_INTERVAL_MS).unref();
  }

  /** Counts a message as in flight until `answering` settles. */
  async track<T>(answering: Promise<T>): Promise<T> {
    this.inFlight += 1;
    try {
      return await answering;
    } finally {
      this.inFlight -= 1;
    }
  }
}
