import type { KeyObject } from 'node:crypto';

/** Only signatures made with a private key: as a shared secret, the public key could be used to forge one. */
export const ALGORITHMS = [
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
/** As OpenSSL calls P-256, P-384 and P-521. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];
const MIN_RSA_BITS = 2048;

/** The keys with which one of the algorithms can check a signature. */
export const FIT_KEYS = `an RSA key of at least ${MIN_RSA_BITS} bits, an EC key on P-256, P-384 or P-521, or an Ed25519 key`;

export function isFitForTokens({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= MIN_RSA_BITS;
    case 'ec':
      return CURVES.includes(namedCurve);
    default:
      return asymmetricKeyType === 'ed25519';
  }
}
