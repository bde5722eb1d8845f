/**
 * What every store's adapter throws when the store, not the request, is at fault.
 * - `unavailable`: it could not be reached, or refused to serve; asking again later may help.
 * - `timeout`: it did not answer in time; a write may or may not have taken effect.
 * - `busy`: it answered that others held for too long what the call needs; nothing took effect, and asking again later
 *   may help.
 * - `refused`: it answered that it can never hold what it was given.
 * - `failed`: it answered with any other error that no caller can do anything about.
 */
export class StoreError extends Error {
  constructor(
    readonly store: 'postgres' | 'redis',
    readonly outcome: 'unavailable' | 'timeout' | 'busy' | 'refused' | 'failed',
    options?: { cause: unknown },
  ) {
    super(`${store} ${outcome}`, options);
    this.name = 'StoreError';
  }
}

/** Whether the store is unavailable: it did not answer at all, not even with an error of its own. */
export function isOutage(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.outcome === 'unavailable' || error.outcome === 'timeout');
}
