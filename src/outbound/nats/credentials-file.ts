import { readFileSync } from 'node:fs';
import { credsAuthenticator, type Authenticator } from '@nats-io/transport-node';

/** Whether a user's credentials, as `nsc` writes them, are in the file. */
export function holdsCredentials(file: string): boolean {
  try {
    credsAuthenticator(readFileSync(file))('nonce');
    return true;
  } catch {
    return false;
  }
}

/**
 * Read anew for every connection, so that renewed credentials need no restart. While the file is broken the last good
 * ones count: an authenticator that throws would end the client for good.
 */
export function credentialsIn(file: string): Authenticator {
  let lastGood: Authenticator = () => undefined;
  return (nonce) => {
    try {
      const renewed = credsAuthenticator(readFileSync(file));
      const auth = renewed(nonce);
      lastGood = renewed;
      return auth;
    } catch {
      return lastGood(nonce);
    }
  };
}
