/** Whatever the client throws, apart from the reason of a caller's own `AbortSignal`. */
export abstract class DossierError extends Error {
  /** Whether the same call may succeed later. */
  abstract readonly retryable: boolean;
  /**
   * How often the call was sent. After more than once, an earlier attempt may have taken effect: a deletion that is
   * "not found" then may be the client's own.
   */
  attempts = 1;
}

/** No reply has come: the service could not be reached, or the connection broke. The call may have taken effect. */
export class ConnectionError extends DossierError {
  override readonly name = 'ConnectionError';
  readonly retryable = true;
}

/** The time-out of the call is over, all attempts included. The call may have taken effect, or may still. */
export class CallTimeoutError extends DossierError {
  override readonly name = 'CallTimeoutError';
  readonly retryable = true;

  constructor(readonly timeoutMs: number) {
    super(`no reply within ${timeoutMs} ms`);
  }
}

/** Something else than a reply of the service has come: of a proxy, perhaps, or `url` leads elsewhere. */
export class ResponseError extends DossierError {
  override readonly name = 'ResponseError';
  readonly retryable: boolean;

  constructor(
    /** Of HTTP; 0 over NATS. */
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.retryable = PASSING_STATUSES.includes(status);
  }
}

/**
 * The service served a read without PostgreSQL, although PostgreSQL should have been asked: a list may be empty, or
 * lack what is there. `acceptDegraded: true` returns such results instead.
 */
export class DegradedError extends DossierError {
  override readonly name = 'DegradedError';
  readonly retryable = true;

  constructor(
    readonly method: string,
    readonly result: object,
  ) {
    super(`the result of ${method} is degraded: PostgreSQL could not be asked`);
  }
}

/** A proxy says so if the service behind it cannot be reached for now. */
const PASSING_STATUSES = [502, 503, 504];
