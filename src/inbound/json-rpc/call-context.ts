import type { Caller } from '../../core/domain/caller';
import { AuthenticationFailure, type Credential, type Identity } from '../auth/credential';

export type Transport = 'http' | 'nats';

/** Where a message came from: the same for all calls of a batch. */
export interface CallOrigin {
  readonly transport: Transport;
  readonly identity: Identity;
  /** Tells callers apart where no credential does. */
  readonly peer: string;
  /** Told of every limited call. */
  readonly onRateLimit?: (standing: RateLimitStanding) => void;
}

/** Where a caller stands with the limit of a method, after a call. */
export interface RateLimitStanding {
  readonly limit: number;
  readonly remaining: number;
  readonly endsInMs: number;
  readonly refused: boolean;
}

/** The second argument of every handler. */
export class CallContext {
  constructor(
    private readonly origin: CallOrigin,
    readonly method: string,
  ) {}

  get transport(): Transport {
    return this.origin.transport;
  }

  /** Throws `AuthenticationFailure` where it is not known who calls, so that no handler can forget to ask. */
  get credential(): Credential {
    const { identity } = this.origin;
    if (identity instanceof AuthenticationFailure) throw identity;
    return identity;
  }

  get caller(): Caller {
    return this.credential.caller;
  }

  /** Tells callers apart, on all replicas alike. */
  get callerKey(): string {
    return this.credential.id ?? `${this.transport}:${this.origin.peer}`;
  }

  reportRateLimit(standing: RateLimitStanding): void {
    this.origin.onRateLimit?.(standing);
  }
}
