import { OPERATION_TIMEOUT_MS } from '../ports/time-limits';
import type { Clock } from '../ports/clock';
import { StoreError } from '../ports/store-error';

/** The time that one operation has in all, from its first step on. */
export class Deadline {
  private readonly endsAtMs: number;

  constructor(private readonly clock: Clock) {
    this.endsAtMs = clock.monotonicMs() + OPERATION_TIMEOUT_MS;
  }

  /** What the store may take of it when `reserveMs` are to be left for what follows. Throws where nothing is left. */
  leftMs(reserveMs = 0): number {
    const leftMs = this.endsAtMs - this.clock.monotonicMs() - reserveMs;
    if (leftMs <= 0) throw new StoreError('postgres', 'timeout');
    return leftMs;
  }
}
