import type { KeyObject } from 'node:crypto';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  jwksCache,
  jwtVerify,
  type CryptoKey,
  type ExportedJWKSCache,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import { AuthenticationFailure, isRole, type Identity } from './credential';
import { KeySetOutage } from './key-set-outage';
import { isOrganizationName, isPrintableName } from './printable-name';
import { ALGORITHMS } from './token-key';

/** Tokens that wait for the key set at the same time: any number of messages could come in, and each takes memory. */
const MAX_WAITING = 1000;
const JWKS_TIMEOUT_MS = 2000;
/** Between the end of one request for the key set and the next one, so that no flood of tokens reaches the issuer. */
const JWKS_PAUSE_MS = 1000;

export interface AccessTokenOptions {
  readonly keys: { readonly publicKey: KeyObject } | { readonly jwksUrl: string };
  /** If undefined, any issuer or audience is accepted, as long as the signature is valid. */
  readonly issuer?: string;
  readonly audience?: string;
  /** Called with a line for the operator when the key set is unavailable, once for each reason. */
  readonly onOutage?: (line: string) => void;
}

/** JSON Web Tokens with the claims `exp`, `organization`, `role`, and `name` or else `sub`. */
export class AccessTokens {
  private readonly findKey: JWTVerifyGetKey;
  private readonly rules: JWTVerifyOptions;

  constructor({ keys, issuer, audience, onOutage = () => undefined }: AccessTokenOptions) {
    this.rules = { algorithms: ALGORITHMS, requiredClaims: ['exp'], issuer, audience };
    this.findKey = 'jwksUrl' in keys ? remoteKeys(keys.jwksUrl, onOutage) : () => keys.publicKey;
  }

  /** Never rejects. */
  async verify(token: string): Promise<Identity> {
    try {
      return credentialOf(await this.verified(token));
    } catch (error) {
      if (error instanceof AuthenticationFailure) return error;
      return new AuthenticationFailure(
        'unauthorized',
        error instanceof errors.JWTExpired ? 'expired_token' : 'wrong_token',
      );
    }
  }

  private async verified(token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, this.findKey, this.rules)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return this.verifiedWithOneOf(error, token);
      throw error;
    }
  }

  /** A token without a key id, or with that of several keys, may have been signed with any of them. */
  private async verifiedWithOneOf(keys: AsyncIterable<CryptoKey>, token: string): Promise<JWTPayload> {
    for await (const key of keys) {
      try {
        return (await jwtVerify(token, key, this.rules)).payload;
      } catch (error) {
        if (!isKeyAtFault(error)) throw error;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Whether another key may do: this one has not signed it, or is unfit for the algorithm, as a short one is. */
function isKeyAtFault(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed || error instanceof TypeError;
}

/** The key set is cached for minutes, and fetched again when a token names a key that is not in it. */
function remoteKeys(jwksUrl: string, onOutage: (line: string) => void): JWTVerifyGetKey {
  // The library notes in it when it has fetched the set.
  const fetched = {} as ExportedJWKSCache;
  const keySet = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    [customFetch]: fetchWithPauses(),
    [jwksCache]: fetched,
  });
  const outage = new KeySetOutage(jwksUrl, JWKS_TIMEOUT_MS, onOutage);
  let waiting = 0;
  return async (header, token) => {
    if (waiting >= MAX_WAITING) throw new AuthenticationFailure('unavailable');
    waiting += 1;
    try {
      return await keySet(header, token);
    } catch (error) {
      if (isTokenAtFault(error)) throw error;
      if (!(error instanceof TooSoon)) outage.add(error);
      throw new AuthenticationFailure('unavailable');
    } finally {
      waiting -= 1;
      outage.endIfFetched(fetched.uat);
    }
  };
}

/** The key set, or the network on the way to it, causes all other errors. */
function isTokenAtFault(error: unknown): boolean {
  const { JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported } = errors;
  return [JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported].some((kind) => error instanceof kind);
}

/** No request was made: the one before it has shown what is wrong. */
class TooSoon extends Error {}

/** The library lets one request run at a time; after a request that failed it would start the next one at once. */
function fetchWithPauses(): typeof fetch {
  let endedAtMs = Number.NEGATIVE_INFINITY;
  return async (...request) => {
    if (performance.now() - endedAtMs < JWKS_PAUSE_MS) throw new TooSoon();
    try {
      const response = await fetch(...request);
      // The library would refuse it without saying which status it has.
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      return response;
    } finally {
      endedAtMs = performance.now();
    }
  };
}

function credentialOf({ organization, role, name, sub, exp = 0 }: JWTPayload): Identity {
  const callerName = name ?? sub;
  if (!isOrganizationName(organization) || !isRole(role) || !isPrintableName(callerName)) {
    return new AuthenticationFailure('unauthorized', 'wrong_token');
  }
  // Not the token itself: a caller with a renewed token is still the same caller.
  const subject = isPrintableName(sub) ? sub : callerName;
  const id = `token:${JSON.stringify([organization, subject])}`;
  return { id, caller: { organization, name: callerName }, role, expiresAtMs: exp * 1000 };
}
