import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../auth/authenticator';
import { isProven, type Credential } from '../auth/credential';
import { httpOrigin } from './http-origin';

const RECHECK_MS = 1000;

/** Resolves when the credential of a long request is no longer valid. Rejects when the signal aborts. */
export async function untilRevoked(
  request: FastifyRequest,
  authenticator: Authenticator,
  { caller, expiresAtMs = Number.POSITIVE_INFINITY }: Credential,
  signal: AbortSignal,
): Promise<void> {
  for (let isValid = true; isValid;) {
    await sleep(RECHECK_MS, undefined, { signal });
    const { identity } = await httpOrigin(request, authenticator);
    // While the keys of the issuer cannot be fetched, a token that was valid stays valid until it expires.
    const isAsBefore = isProven(identity)
      ? identity.caller.organization === caller.organization
      : identity.kind === 'unavailable';
    isValid = isAsBefore && Date.now() < expiresAtMs;
  }
}
