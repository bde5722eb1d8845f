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
 * Stops one operation from asking a store that has failed it `threshold` times in a row. Only an outage counts as a
 * failure: an error that the store itself returns is an answer, and a call that takes too long while the store serves
 * others is neither. The same error of several calls is one failure: they have shared one request.
 */
export class Breaker {
  private policy!: CircuitBreakerPolicy;
  private inARow!: ConsecutiveBreaker;
  private readonly counted = new WeakSet<StoreError>();

  constructor(
    private readonly store: StoreError['store'],
    private readonly threshold: number,
  ) {
    this.close();
  }

  get isOpen(): boolean {
    return this.policy.state !== CircuitState.Closed;
  }

  /** Whether the last failure was a store that could not be reached, rather than a store that took too long. */
  get isOpenForUnreachable(): boolean {
    const last = this.policy.lastFailure;
    return this.isOpen && last !== undefined && 'error' in last && isUnreachable(last.error);
  }

  /** Starts with a new policy: a call that began before the store recovered no longer counts. */
  close(): void {
    this.inARow = new ConsecutiveBreaker(this.threshold);
    this.policy = circuitBreaker(
      handleWhen((error) => this.isNewOutage(error)),
      {
        halfOpenAfter: HALF_OPEN_AFTER_MS,
        breaker: this.inARow,
      },
    );
  }

  /** Rejects at once with a `StoreError` while the breaker is open. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const { policy, inARow } = this;
    // The policy would let other calls wait for the one that tries the store, past their own deadlines.
    if (policy.state === CircuitState.HalfOpen) throw new StoreError(this.store, 'unavailable');
    try {
      return await policy.execute(call);
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw new StoreError(this.store, 'unavailable', { cause: error });
      if (!isOutage(error)) inARow.success();
      throw error;
    }
  }

  private isNewOutage(error: unknown): boolean {
    if (!isOutage(error) || error.servedOthers || this.counted.has(error)) return false;
    this.counted.add(error);
    return true;
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof StoreError && error.outcome === 'unavailable';
}
