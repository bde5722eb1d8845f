import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BegunPerTurn } from './begun-per-turn';
import { ByteBudget } from './byte-budget';
import { FairShare } from './fair-share';
import { LoopTime } from './loop-time';

const RESOLUTION_MS = 20;
const SAMPLE_INTERVAL_MS = 1000;
/** Of the messages that the others leave, for one caller. */
const PART_OF_CALLER = 3 / 4;

export interface LoadBounds {
  /** Messages in flight at the same time; a batch is one message. */
  readonly maxInFlight: number;
  /** Mean over a second; above it in two seconds one after the other, the process is overloaded. */
  readonly maxEventLoopDelayMs: number;
}

/**
 * Knows when this process has as much to do as it can do in time. It is better then to refuse a message at once, so
 * that its caller can ask another replica, than to answer all messages too late.
 */
export class LoadShedder {
  /** Where messages wait that come many at once. */
  readonly begun = this.turns();
  /** Where requests wait that arrive many at once, whoever sends them. */
  private readonly arrived = this.turns();
  private readonly inFlight: FairShare;
  private wasLate = false;
  private isLate = false;

  constructor(
    private readonly bounds: LoadBounds,
    readonly bytes = new ByteBudget(),
    readonly loopTime = new LoopTime(),
  ) {
    this.inFlight = new FairShare(bounds.maxInFlight, PART_OF_CALLER);
  }

  /** Whatever the caller. */
  get isOverloaded(): boolean {
    return this.inFlight.isExhausted || this.isLate;
  }

  /** A caller that has much in flight is refused before the others are. */
  isOverloadedFor(share: string): boolean {
    return this.isOverloaded || !this.inFlight.mayTake(share, 1);
  }

  /**
   * Says when a request may be handled, before it is known what it asks for; undefined means at once. To refuse it
   * takes time, too, and so does what needs no credential.
   */
  arrive(sender: string): Promise<void> | undefined {
    const turn = this.arrived.wait(sender);
    if (turn) this.loopTime.noteMessage(sender);
    return turn;
  }

  /** To be called once the process has started: until then, delays say nothing about its load. */
  watchEventLoop(): void {
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    const sample = () => {
      // The monitor measures the time between two ticks, which includes the resolution.
      this.noteDelay(delays.mean / 1e6 - RESOLUTION_MS);
      delays.reset();
    };
    setInterval(sample, SAMPLE_INTERVAL_MS).unref();
  }

  /**
   * The mean delay of the event loop since the last note. One late second is not believed: a process that was stopped
   * for seven seconds, or waited for a machine that was, has no more to do than before.
   */
  noteDelay(meanMs: number): void {
    const isLate = meanMs > this.bounds.maxEventLoopDelayMs;
    this.isLate = isLate && this.wasLate;
    this.wasLate = isLate;
  }

  /** Counts a message as in flight until `answering` settles, whether or not it should have been refused. */
  async track<T>(answering: Promise<T>, share: string): Promise<T> {
    this.inFlight.add(share, 1);
    this.loopTime.noteMessage(share);
    try {
      return await answering;
    } finally {
      this.inFlight.giveBack(share, 1);
    }
  }

  private turns(): BegunPerTurn {
    return new BegunPerTurn(() => this.loopTime.isShared);
  }
}
