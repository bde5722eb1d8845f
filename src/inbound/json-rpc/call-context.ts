import type { Caller } from '../../core/domain/caller';
import type { TraceContext } from '../../core/domain/trace-context';
import type { Room } from '../../core/ports/room';
import { credentialOf, isProven, type Credential, type Identity } from '../auth/credential';
import type { CallIds } from '../correlation/call-ids';
import type { Reservation } from '../load/byte-budget';

export type Transport = 'http' | 'nats';

/** Where a message came from; all calls of a batch have the same origin. */
export interface CallOrigin {
  readonly transport: Transport;
  readonly identity: Identity;
  /** Tells apart callers without a credential. */
  readonly peer: string;
  readonly ids: CallIds;
  /** What the message, or the call, is part of. Undefined unless traces are recorded. */
  readonly trace?: TraceContext;
  /** What the message holds in memory, until its reply has been sent; undefined for one that carries little. */
  readonly reservation?: Reservation;
  /** So many messages have come at once that this one had to wait for its turn to begin. */
  readonly isOneOfMany?: boolean;
  /** Whether nobody can get the reply any more; undefined if that is not known. What has not begun need not begin. */
  readonly isAbandoned?: () => boolean;
  /** Is called for every limited call. */
  readonly onRateLimit?: (standing: RateLimitStanding) => void;
}

/**
 * Whose work a message is, when callers share what the process has: an organisation's, or a peer's if nothing is
 * proved. Over NATS a peer is a name that a sender claims, and could claim as many as it likes: all that prove nothing
 * are one.
 */
export function shareOf({ transport, identity, peer }: Pick<CallOrigin, 'transport' | 'identity' | 'peer'>): string {
  if (!isProven(identity)) return transport === 'nats' ? transport : shareOfPeer(transport, peer);
  return identity.id === undefined ? shareOfPeer(transport, peer) : `organization:${identity.caller.organization}`;
}

/** Whose work a message is while it is not known who has sent it. */
export function shareOfPeer(transport: Transport, peer: string): string {
  return `${transport}:${peer}`;
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
    /** For what the call reads. */
    readonly room?: Room,
  ) {}

  get transport(): Transport {
    return this.origin.transport;
  }

  /** Throws `AuthenticationFailure` if the caller is unknown, so that no handler can forget to check. */
  get credential(): Credential {
    return credentialOf(this.origin.identity);
  }

  get ids(): CallIds {
    return this.origin.ids;
  }

  get share(): string {
    return shareOf(this.origin);
  }

  get caller(): Caller {
    const { id, caller } = this.credential;
    const { organization, name } = caller;
    return { organization, name, credentialId: id, trace: this.origin.trace };
  }

  /** Tells callers apart, in the same way on all replicas. */
  get callerKey(): string {
    return this.credential.id ?? `${this.transport}:${this.origin.peer}`;
  }

  reportRateLimit(standing: RateLimitStanding): void {
    this.origin.onRateLimit?.(standing);
  }
}
