import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { OneAtATime } from '../../core/consistency/one-at-a-time';
import type { Clock } from '../../core/ports/clock';

/** What a caller may take before it has to wait, so that a large message now and then waits for nothing. */
const ALLOWANCE_MS = 30;
/**
 * For each millisecond that a caller has taken, it leaves so many to others: the rest of its message takes as long
 * again.
 */
const LEFT_TO_OTHERS = 3;
/** Work that would begin later is refused. */
const MAX_WAIT_MS = 5000;
const MAX_CALLERS = 1000;
/** Of the event loop, by a caller that is alone: to pause after each step would slow it down by a third. */
const MAX_HOLD_MS = 10;
/** A caller whose last message is older is no other that time should be left to. */
const LATELY_MS = 2000;

/** A clock that also counts the time in which this process has worked: no other program is a caller's fault. */
type WorkClock = Pick<Clock, 'monotonicMs' | 'sleep'> & { workedMs(): number };

const PROCESS_CLOCK: WorkClock = {
  monotonicMs: () => performance.now(),
  sleep: (ms) => (ms > 0 ? sleep(ms) : setImmediate()),
  workedMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Shares the time of the event loop: while a part of a large message is read, nothing else is served. A caller that has
 * taken much of it waits until others have had their part, unless there are no others.
 */
export class LoopTime {
  /** When what a caller has taken will have been left to others. */
  private readonly settledAtMs = new Map<string, number>();
  /** The caller of the last message, and the last one before it that was another caller. */
  private latest = { caller: '', atMs: -Infinity };
  private another = this.latest;
  private readonly turns: OneAtATime;

  constructor(private readonly clock: WorkClock = PROCESS_CLOCK) {
    this.turns = new OneAtATime(() => clock.sleep(0));
  }

  /** To be called for each message. */
  noteMessage(caller: string): void {
    if (caller !== this.latest.caller) this.another = this.latest;
    this.latest = { caller, atMs: this.clock.monotonicMs() };
  }

  /** Whether there has been more than one caller lately. */
  get isShared(): boolean {
    return this.clock.monotonicMs() - this.another.atMs <= LATELY_MS;
  }

  /**
   * Does work that blocks the event loop, at the caller's expense: one work of a caller after the other, and between
   * its steps whatever waits. `tookMs` is what the caller has taken for it before. Undefined if it would have to wait
   * for too long.
   */
  async take<T>(caller: string, work: Iterator<unknown, T>, tookMs = 0): Promise<T | undefined> {
    return this.inTurn(caller, () => {
      this.add(caller, this.clock.monotonicMs(), tookMs);
      return this.takeSteps(caller, work);
    });
  }

  /**
   * For what a caller has taken already: resolves when the caller may go on; with false if that would be too late.
   */
  async pay(caller: string, tookMs: number): Promise<boolean> {
    const mayGoOn = await this.inTurn(caller, async () => {
      await this.turnOf(caller);
      this.add(caller, this.clock.monotonicMs(), tookMs);
      return true;
    });
    return mayGoOn ?? false;
  }

  /** Tells how much of the event loop has been taken since. */
  watch(): () => number {
    const { clock } = this;
    const [startedAtMs, workedBeforeMs] = [clock.monotonicMs(), clock.workedMs()];
    // Other threads may have worked at the same time.
    return () => Math.min(clock.monotonicMs() - startedAtMs, clock.workedMs() - workedBeforeMs);
  }

  /** One work of a caller after the other. Undefined if the caller would have to wait for too long. */
  private inTurn<T>(caller: string, work: () => Promise<T>): Promise<T | undefined> {
    const giveUpAtMs = this.clock.monotonicMs() + MAX_WAIT_MS;
    return this.turns.take(caller, async () => (this.startsAtMs(caller) > giveUpAtMs ? undefined : work()));
  }

  private async takeSteps<T>(caller: string, work: Iterator<unknown, T>): Promise<T> {
    let pausedAtMs = this.clock.monotonicMs();
    for (;;) {
      await this.turnOf(caller);
      const step = this.charge(caller, () => work.next());
      if (step.done) return step.value;
      if (this.isAlone(caller) && this.clock.monotonicMs() - pausedAtMs < MAX_HOLD_MS) continue;
      await this.clock.sleep(0);
      pausedAtMs = this.clock.monotonicMs();
    }
  }

  private async turnOf(caller: string): Promise<void> {
    for (;;) {
      const waitMs = this.startsAtMs(caller) - this.clock.monotonicMs();
      if (waitMs <= 0) return;
      await this.clock.sleep(waitMs);
    }
  }

  private startsAtMs(caller: string): number {
    const nowMs = this.clock.monotonicMs();
    return this.isAlone(caller) ? nowMs : Math.max(nowMs, (this.settledAtMs.get(caller) ?? 0) - ALLOWANCE_MS);
  }

  private isAlone(caller: string): boolean {
    const other = this.latest.caller === caller ? this.another : this.latest;
    return this.clock.monotonicMs() - other.atMs > LATELY_MS;
  }

  private charge<T>(caller: string, step: () => T): T {
    const startedAtMs = this.clock.monotonicMs();
    const taken = this.watch();
    try {
      return step();
    } finally {
      this.add(caller, startedAtMs, taken());
    }
  }

  private add(caller: string, startedAtMs: number, tookMs: number): void {
    const since = Math.max(startedAtMs, this.settledAtMs.get(caller) ?? 0);
    this.settledAtMs.set(caller, since + (this.isAlone(caller) ? 1 : 1 + LEFT_TO_OTHERS) * tookMs);
    if (this.settledAtMs.size > MAX_CALLERS) this.forgetSettled(startedAtMs);
  }

  private forgetSettled(nowMs: number): void {
    for (const [caller, settledAtMs] of this.settledAtMs) if (settledAtMs <= nowMs) this.settledAtMs.delete(caller);
  }
}
