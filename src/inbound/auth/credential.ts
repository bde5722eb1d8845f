import type { Caller } from '../../core/domain/caller';
import { TracelessError } from '../correlation/traceless-error';

/** From the weakest to the strongest: each role includes the roles before it. */
export const ROLES = ['read', 'write', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The identity that a caller has proved. */
export interface Credential {
  readonly caller: Caller;
  readonly role: Role;
  /** Unique, unlike the caller's name; undefined while authentication is off. */
  readonly id?: string;
  /** When it ends by itself. */
  readonly expiresAtMs?: number;
}

/** For the operator, not for the caller. */
export type FailureReason = 'missing' | 'wrong_key' | 'wrong_token' | 'expired_token' | 'key_set_unavailable';

/**
 * Why the caller is unknown.
 * - `unauthorized`: the credential is missing, wrong or expired.
 * - `unavailable`: the keys to check it with cannot be fetched at the moment; a later attempt may succeed.
 */
export class AuthenticationFailure extends TracelessError {
  constructor(
    readonly kind: 'unauthorized' | 'unavailable',
    readonly reason: FailureReason = kind === 'unavailable' ? 'key_set_unavailable' : 'missing',
  ) {
    super(kind);
    this.name = 'AuthenticationFailure';
  }
}

export type Identity = Credential | AuthenticationFailure;

/** Whether the caller may be served as itself. While authentication is off, every caller may. */
export function isProven(identity: Identity): identity is Credential {
  return !(identity instanceof AuthenticationFailure);
}

/** Throws `AuthenticationFailure` if the caller is unknown. */
export function credentialOf(identity: Identity): Credential {
  if (!isProven(identity)) throw identity;
  return identity;
}

export function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

export function includesRole(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}
