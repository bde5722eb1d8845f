import type { Caller } from '../../core/domain/caller';
import { AuthenticationFailure, type Credential, type Identity } from '../auth/credential';

export type Transport = 'http' | 'nats';

/** Where a message came from; all calls of a batch have the same origin. */
export interface CallOrigin {
  readonly transport: Transport;
  readonly identity: Identity;
  /** Tells apart callers without a credential. */
  readonly peer: string;
  /** Is called for every limited call. */
  readonly onRateLimit?: (standing: RateLimitStanding) => void;
}

/** How much of its limit a caller has used after a call. */
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

  /** Throws `AuthenticationFailure` if the caller is unknown, so that no handler can forget to check. */
  get credential(): Credential {
    const { identity } = this.origin;
    if (identity instanceof AuthenticationFailure) throw identity;
    return identity;
  }

  get caller(): Caller {
    const { id, caller } = this.credential;
    return { ...caller, credentialId: id };
  }

  /** Tells callers apart, in the same way on all replicas. */
  get callerKey(): string {
    return this.credential.id ?? `${this.transport}:${this.origin.peer}`;
  }

  reportRateLimit(standing: RateLimitStanding): void {
    this.origin.onRateLimit?.(standing);
  }
}
