import { readFileSync } from 'node:fs';
import { credsAuthenticator, type Authenticator } from '@nats-io/transport-node';

/** Whether the file holds a user's credentials in the format of `nsc`. */
export function holdsCredentials(file: string): boolean {
  try {
    credsAuthenticator(readFileSync(file))('nonce');
    return true;
  } catch {
    return false;
  }
}

/**
 * The file is read for every connection, so that renewed credentials need no restart. While it is broken, the last good
 * credentials are used: an authenticator that throws would end the client for good.
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
