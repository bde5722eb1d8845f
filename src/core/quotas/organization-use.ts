import { NO_ADDITION, QUOTA_KINDS, differenceOf, sumOf, type Addition, type Usage } from '../domain/quota';
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
  readonly ordinal: number;
  readonly beganAtMs: number;
  readonly tookMs: number;
}

/**
 * What this replica knows of the use of one organisation: the last count, and its own writes since. The writes of other
 * replicas are known from the next count on. A write that was under way during a count may be in it or not; until the
 * next count it is added to it, so that the estimate may be too high, and is never too low.
 */
export class OrganizationUse {
  private last?: Count;
  private counting?: Promise<Usage>;
  private begun = 0;
  private beganAtMs = Number.NEGATIVE_INFINITY;
  private underWay = NO_ADDITION;
  /** Acknowledged, and perhaps not in the last count. */
  private written = NO_ADDITION;
  /** The last count may have some of what is in `written` or `underWay`. */
  private isOverlapped = false;
  private shrinkages = 0;
  /** Those before the last count began. */
  private countedShrinkages = 0;
  private readonly writes = new Set<Promise<void>>();
  private ending?: Promise<void>;

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

  /** How many counts have begun, with those that failed. */
  get countsBegun(): number {
    return this.begun;
  }

  /** Whether the last count, or attempt to count, is so long ago that the next one is due. */
  get isCountDue(): boolean {
    return this.beganAgoMs >= this.pauseMs;
  }

  /** Whether the next count may begin: at once if it is cheap, and the estimate may be higher than what is there. */
  get mayCount(): boolean {
    return this.isCountDue || (this.mayBeLess && this.tookMs < CHEAP_COUNT_MS);
  }

  /** The last count, if to count again would take long. */
  get expensiveCount(): Usage | undefined {
    return this.last && this.tookMs >= CHEAP_COUNT_MS && !this.isCountDue ? this.last.usage : undefined;
  }

  /** Whether another count would tell nothing more. */
  get isExact(): boolean {
    return this.isRecent && !this.isOverlapped;
  }

  /**
   * What was there for certain at some moment of a call before which `countsBegun` counts had begun. Undefined if it
   * takes another count to say so.
   */
  leastSince(countsBegun: number): Addition | undefined {
    if (!this.last) return undefined;
    if (!this.isRecent && this.last.ordinal <= countsBegun) return undefined;
    return this.mayBeLess ? this.last.usage : sumOf(this.last.usage, this.written);
  }

  /** To be called before a write. What it returns is to be called when the write has ended, with what it has added. */
  reserve(planned: Addition): (added: Addition) => void {
    this.underWay = sumOf(this.underWay, planned);
    let endWrite = (): void => undefined;
    const write = new Promise<void>((resolve) => (endWrite = resolve));
    this.writes.add(write);
    return (added) => {
      this.underWay = differenceOf(this.underWay, planned);
      this.written = sumOf(this.written, added);
      this.writes.delete(write);
      endWrite();
    };
  }

  /** Resolves when the writes that are under way have ended. All that ask until then wait for the same writes. */
  writesEnded(): Promise<void> {
    this.ending ??= Promise.all(this.writes).then(() => (this.ending = undefined));
    return this.ending;
  }

  /** Something was deleted, or replaced by something that may be smaller. */
  shrunk(): void {
    this.shrinkages += 1;
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

  private get tookMs(): number {
    return this.last?.tookMs ?? 0;
  }

  private get pauseMs(): number {
    return Math.max(MIN_PAUSE_MS, PAUSES_PER_COUNT * this.tookMs);
  }

  private get hasShrunk(): boolean {
    return this.shrinkages > this.countedShrinkages;
  }

  private get isRecent(): boolean {
    return !this.hasShrunk && this.countedAgoMs < this.pauseMs;
  }

  private get mayBeLess(): boolean {
    return this.isOverlapped || this.hasShrunk;
  }

  private async countNow(ask: () => Promise<Usage>): Promise<Usage> {
    const { written, shrinkages } = this;
    const beganAtMs = this.clock.monotonicMs();
    const ordinal = ++this.begun;
    this.beganAtMs = beganAtMs;
    const usage = await ask();
    this.written = differenceOf(this.written, written);
    this.isOverlapped = QUOTA_KINDS.some((kind) => this.uncounted[kind] > 0);
    this.countedShrinkages = shrinkages;
    this.last = { usage, ordinal, beganAtMs, tookMs: this.clock.monotonicMs() - beganAtMs };
    return usage;
  }
}

/** Undefined if it has not resolved after `ms`; it goes on. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | undefined> {
  let cancel: (() => void) | undefined;
  const silence = new Promise<undefined>((resolve) => (cancel = clock.after(ms, () => resolve(undefined))));
  return Promise.race([promise, silence]).finally(() => cancel?.());
}
