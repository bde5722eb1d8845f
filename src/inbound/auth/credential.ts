import type { Caller } from '../../core/domain/caller';

/** From the weakest to the strongest: each may do what those before it may. */
export const ROLES = ['read', 'write', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a caller has proved to be. */
export interface Credential {
  readonly caller: Caller;
  readonly role: Role;
  /** Tells credentials apart, which names need not do; undefined while authentication is off. */
  readonly id?: string;
}

/**
 * Why it is not known who calls.
 * - `unauthorized`: the credential is missing, wrong or expired.
 * - `unavailable`: the keys to check it with cannot be had right now; asking again later may help.
 */
export class AuthenticationFailure extends Error {
  constructor(readonly kind: 'unauthorized' | 'unavailable') {
    super(kind);
    this.name = 'AuthenticationFailure';
  }
}

export type Identity = Credential | AuthenticationFailure;

export function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

export function includesRole(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}
