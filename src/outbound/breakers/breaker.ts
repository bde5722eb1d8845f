import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { isOutage, StoreError } from '../../core/ports/store-error';

const HALF_OPEN_AFTER_MS = 30_000;

/**
 * Keeps one operation from asking a store that has failed it `threshold` times in a row. Only failing to answer counts:
 * a store that answers with an error has answered.
 */
export class Breaker {
  private policy!: CircuitBreakerPolicy;
  private inARow!: ConsecutiveBreaker;

  constructor(
    private readonly store: StoreError['store'],
    private readonly threshold: number,
  ) {
    this.close();
  }

  get isOpen(): boolean {
    return this.policy.state !== CircuitState.Closed;
  }

  /** Whether it was a store that could not be reached, rather than one that took too long. */
  get isOpenForUnreachable(): boolean {
    const last = this.policy.lastFailure;
    return this.isOpen && last !== undefined && 'error' in last && isUnreachable(last.error);
  }

  /** With a new policy: calls that are still under way tell of a store that has recovered since, and no longer count. */
  close(): void {
    this.inARow = new ConsecutiveBreaker(this.threshold);
    this.policy = circuitBreaker(handleWhen(isOutage), {
      halfOpenAfter: HALF_OPEN_AFTER_MS,
      breaker: this.inARow,
    });
  }

  /** Rejects at once, with a `StoreError`, while it is open. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const { policy, inARow } = this;
    // The policy would let others wait for the call that tries the store, past their own deadlines.
    if (policy.state === CircuitState.HalfOpen) throw new StoreError(this.store, 'unavailable');
    try {
      return await policy.execute(call);
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw new StoreError(this.store, 'unavailable', { cause: error });
      if (!isOutage(error)) inARow.success();
      throw error;
    }
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof StoreError && error.outcome === 'unavailable';
}
