import { NO_ADDITION, differenceOf, sumOf, type Addition, type Usage } from '../domain/quota';
import type { Clock } from '../ports/clock';

/** The longest time that one count may take. Its statements are short. */
export const COUNT_TIMEOUT_MS = 600_000;
/** A count that takes longer is made as rarely as possible. */
const CHEAP_COUNT_MS = 500;
const MIN_PAUSE_MS = 1000;
/** Counting takes at most a twentieth of the time of one session. */
const PAUSES_PER_COUNT = 20;

interface Count {
  readonly usage: Usage;
  readonly beganAtMs: number;
  readonly tookMs: number;
}

/**
 * What this replica knows of the use of one organisation: the last count, and its own writes since. The writes of other
 * replicas are known from the next count on.
 */
export class OrganizationUse {
  private last?: Count;
  private counting?: Promise<Usage>;
  private beganAtMs = Number.NEGATIVE_INFINITY;
  private underWay = NO_ADDITION;
  /** Acknowledged, and perhaps not in the last count. */
  private written = NO_ADDITION;
  private hasShrunk = false;

  constructor(private readonly clock: Clock) {}

  /** With all that is under way; undefined until there is a count. */
  get estimate(): Addition | undefined {
    return this.last && sumOf(this.last.usage, this.uncounted);
  }

  get uncounted(): Addition {
    return sumOf(this.written, this.underWay);
  }

  get countedAgoMs(): number {
    return this.clock.monotonicMs() - (this.last?.beganAtMs ?? Number.NEGATIVE_INFINITY);
  }

  get beganAgoMs(): number {
    return this.clock.monotonicMs() - this.beganAtMs;
  }

  get isCounting(): boolean {
    return this.counting !== undefined;
  }

  /** Whether the last count, or attempt to count, is so long ago that the next may begin. */
  get mayCount(): boolean {
    const tookMs = this.last?.tookMs ?? 0;
    if (this.hasShrunk && tookMs < CHEAP_COUNT_MS) return true;
    return this.beganAgoMs >= Math.max(MIN_PAUSE_MS, PAUSES_PER_COUNT * tookMs);
  }

  /** The last count, if to count again would take long. */
  get expensiveCount(): Usage | undefined {
    return this.last && this.last.tookMs >= CHEAP_COUNT_MS && !this.mayCount ? this.last.usage : undefined;
  }

  /** To be called before a write. What it returns is to be called when the write has ended, with what it has added. */
  reserve(planned: Addition): (added: Addition) => void {
    this.underWay = sumOf(this.underWay, planned);
    return (added) => {
      this.underWay = differenceOf(this.underWay, planned);
      this.written = sumOf(this.written, added);
    };
  }

  /** Something was deleted, or replaced by something that may be smaller. */
  shrunk(): void {
    this.hasShrunk = true;
  }

  /** Joins a count that is under way. */
  count(ask: () => Promise<Usage>): Promise<Usage> {
    this.counting ??= this.countNow(ask).finally(() => (this.counting = undefined));
    return this.counting;
  }

  /** A count that begins after this call. */
  async countAnew(ask: () => Promise<Usage>): Promise<Usage> {
    await this.counting?.catch(() => undefined);
    return this.count(ask);
  }

  private async countNow(ask: () => Promise<Usage>): Promise<Usage> {
    const beganAtMs = this.clock.monotonicMs();
    const { written, hasShrunk } = this;
    this.beganAtMs = beganAtMs;
    this.hasShrunk = false;
    try {
      const usage = await ask();
      this.written = differenceOf(this.written, written);
      this.last = { usage, beganAtMs, tookMs: this.clock.monotonicMs() - beganAtMs };
      return usage;
    } catch (error) {
      this.hasShrunk ||= hasShrunk;
      throw error;
    }
  }
}

/** Undefined if it has not resolved after `ms`; it goes on. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let cancel: (() => void) | undefined;
  const silence = new Promise<undefined>((resolve) => (cancel = clock.after(ms, () => resolve(undefined))));
  return Promise.race([promise, silence]).finally(() => cancel?.());
}
