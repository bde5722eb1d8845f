import type { KeyObject } from 'node:crypto';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { AuthenticationFailure, isRole, type Identity } from './credential';
import { isPrintableName } from './printable-name';

/** Only signatures made with a private key: as a shared secret, the public key could be used to forge one. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const JWKS_TIMEOUT_MS = 2000;

export interface AccessTokenOptions {
  readonly keys: { readonly publicKey: KeyObject } | { readonly jwksUrl: string };
  /** If undefined, any issuer or audience is accepted, as long as the signature is valid. */
  readonly issuer?: string;
  readonly audience?: string;
}

/** JSON Web Tokens with the claims `exp`, `organization`, `role`, and `name` or else `sub`. */
export class AccessTokens {
  private readonly findKey: JWTVerifyGetKey;

  constructor(private readonly options: AccessTokenOptions) {
    const { keys } = options;
    this.findKey = 'jwksUrl' in keys ? remoteKeys(keys.jwksUrl) : () => keys.publicKey;
  }

  /** Never rejects. */
  async verify(token: string): Promise<Identity> {
    const { issuer, audience } = this.options;
    try {
      const { payload } = await jwtVerify(token, this.findKey, {
        algorithms: ALGORITHMS,
        requiredClaims: ['exp'],
        issuer,
        audience,
      });
      return credentialOf(payload);
    } catch (error) {
      return error instanceof AuthenticationFailure ? error : new AuthenticationFailure('unauthorized');
    }
  }
}

/** The key set is cached for minutes, and fetched again when a token names a key that is not in it. */
function remoteKeys(jwksUrl: string): JWTVerifyGetKey {
  const keySet = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: JWKS_TIMEOUT_MS });
  return async (header, token) => {
    try {
      return await keySet(header, token);
    } catch (error) {
      // The token causes these errors; the key set, or the network on the way to it, causes all others.
      const { JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported } = errors;
      const isTokenAtFault = [JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported].some(
        (kind) => error instanceof kind,
      );
      throw isTokenAtFault ? error : new AuthenticationFailure('unavailable');
    }
  };
}

function credentialOf({ organization, role, name, sub }: JWTPayload): Identity {
  const callerName = name ?? sub;
  if (!isPrintableName(organization) || !isRole(role) || !isPrintableName(callerName)) {
    return new AuthenticationFailure('unauthorized');
  }
  // Not the token itself: a caller with a renewed token is still the same caller.
  const subject = isPrintableName(sub) ? sub : callerName;
  return { id: `token:${JSON.stringify([organization, subject])}`, caller: { organization, name: callerName }, role };
}
