/**
 * What every adapter of a store throws if the store, not the request, is at fault.
 * - `unavailable`: the store could not be reached, or refused to serve; a later call may succeed.
 * - `timeout`: the store did not reply in time; a write may or may not have taken effect.
 * - `busy`: other calls were in the way. One held a lock for too long, the store let one go before it, or too many
 *   waited. Nothing took effect, and a later call may succeed.
 * - `refused`: the store replied that it can never hold what it was given.
 * - `failed`: the store replied with any other error that the caller cannot do anything about.
 */
export class StoreError extends Error {
  /** Of a timeout: the store goes on serving other callers. What took too long is the call, and not the store. */
  readonly servedOthers: boolean;

  constructor(
    readonly store: 'postgres' | 'redis',
    readonly outcome: 'unavailable' | 'timeout' | 'busy' | 'refused' | 'failed',
    { servedOthers = false, ...options }: { cause?: unknown; servedOthers?: boolean } = {},
  ) {
    super(`${store} ${outcome}`, options);
    this.name = 'StoreError';
    this.servedOthers = servedOthers;
  }

  /** The code that the store or its driver gave, for the log: a message may quote what was to be stored. */
  get code(): string | undefined {
    const { cause, store } = this;
    if (!(cause instanceof Error)) return undefined;
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
    // Redis has no codes: its errors begin with a word in capitals.
    return store === 'redis' ? /^[A-Z]{2,}(?= )/.exec(cause.message)?.[0] : undefined;
  }

  /** What the store or its driver said, for the log. Only if the call had nothing to store: it may quote that. */
  get reason(): string {
    const { cause } = this;
    // It holds one error for each address of a host name, and has no message of its own.
    const said: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
    return said instanceof Error && said.message !== '' ? `${this.message}: ${said.message}` : this.message;
  }
}

/** Whether the store is unavailable or silent; one that replies with an error of its own is neither. */
export function isOutage(error: unknown): error is StoreError {
  return error instanceof StoreError && (error.outcome === 'unavailable' || error.outcome === 'timeout');
}
