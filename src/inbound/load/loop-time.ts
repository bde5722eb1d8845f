import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../core/ports/clock';

/** What a caller may take before it has to wait, so that a large message now and then waits for nothing. */
const ALLOWANCE_MS = 30;
/** For each millisecond that a caller has taken, it leaves so many to others: the rest of its message takes as long again. */
const LEFT_TO_OTHERS = 3;
/** A message that would wait longer is refused. */
const MAX_WAIT_MS = 5000;
const MAX_CALLERS = 1000;

/** A clock that also counts the time in which this process has worked: no other program is a caller's fault. */
type WorkClock = Pick<Clock, 'monotonicMs' | 'sleep'> & { workedMs(): number };

const PROCESS_CLOCK: WorkClock = {
  monotonicMs: () => performance.now(),
  sleep: (ms) => sleep(ms),
  workedMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Shares the time of the event loop: while a large message is parsed, nothing else is served. A caller that has taken
 * much of it waits until others have had their part.
 */
export class LoopTime {
  /** When what a caller has taken will have been left to others. */
  private readonly settledAtMs = new Map<string, number>();

  constructor(private readonly clock: WorkClock = PROCESS_CLOCK) {}

  /** Resolves when the caller may take more; false if it would have to wait for too long. */
  async turnOf(caller: string): Promise<boolean> {
    const giveUpAtMs = this.clock.monotonicMs() + MAX_WAIT_MS;
    for (;;) {
      const now = this.clock.monotonicMs();
      const startsAtMs = (this.settledAtMs.get(caller) ?? 0) - ALLOWANCE_MS;
      if (startsAtMs <= now) return true;
      if (startsAtMs > giveUpAtMs) return false;
      await this.clock.sleep(startsAtMs - now);
    }
  }

  /** Does work that blocks the event loop, at the caller's expense. */
  take<T>(caller: string, work: () => T): T {
    const { clock } = this;
    const [startedAtMs, workedBeforeMs] = [clock.monotonicMs(), clock.workedMs()];
    try {
      return work();
    } finally {
      const endedAtMs = clock.monotonicMs();
      // Other threads may have worked at the same time.
      const tookMs = Math.min(endedAtMs - startedAtMs, clock.workedMs() - workedBeforeMs);
      const since = Math.max(startedAtMs, this.settledAtMs.get(caller) ?? 0);
      this.settledAtMs.set(caller, since + (1 + LEFT_TO_OTHERS) * tookMs);
      if (this.settledAtMs.size > MAX_CALLERS) this.forgetSettled(endedAtMs);
    }
  }

  private forgetSettled(nowMs: number): void {
    for (const [caller, settledAtMs] of this.settledAtMs) if (settledAtMs <= nowMs) this.settledAtMs.delete(caller);
  }
}
