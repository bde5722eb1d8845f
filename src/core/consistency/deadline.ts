import { OPERATION_TIMEOUT_MS } from '../ports/time-limits';
import type { Clock } from '../ports/clock';
import { StoreError } from '../ports/store-error';

/** The time that one operation has in all, from its first step. */
export class Deadline {
  private readonly endsAtMs: number;

  constructor(private readonly clock: Clock) {
    this.endsAtMs = clock.monotonicMs() + OPERATION_TIMEOUT_MS;
  }

  /** The time that the store may take if `reserveMs` must be left for what follows. Throws if no time is left. */
  leftMs(reserveMs = 0): number {
    const leftMs = this.endsAtMs - this.clock.monotonicMs() - reserveMs;
    if (leftMs <= 0) throw new StoreError('postgres', 'timeout');
    return leftMs;
  }
}
