import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from '@nats-io/transport-node';

/** Of a user. A file may have its public key on another line. */
const SEED = /\bSU[A-Z2-7]{56}\b/;

/** Whether the file holds a user's credentials in the format of `nsc`. */
export function holdsCredentials(file: string): boolean {
  return works(() => readCredentials(file)('nonce'));
}

/** Whether the file holds the seed of a user's nkey. */
export function holdsNkey(file: string): boolean {
  return works(() => readNkey(file)('nonce'));
}

export function credentialsIn(file: string): Authenticator {
  return renewing(() => readCredentials(file));
}

export function nkeyIn(file: string): Authenticator {
  return renewing(() => readNkey(file));
}

function readCredentials(file: string): Authenticator {
  return credsAuthenticator(readFileSync(file));
}

function readNkey(file: string): Authenticator {
  const [seed] = SEED.exec(readFileSync(file, 'utf8')) ?? [];
  if (seed === undefined) throw new Error('no seed of a user');
  return nkeyAuthenticator(new TextEncoder().encode(seed));
}

/**
 * The file is read for every connection, so that renewed credentials need no restart. While it is broken, the last good
 * credentials are used: an authenticator that throws would end the client for good.
 */
function renewing(read: () => Authenticator): Authenticator {
  let lastGood: Authenticator = () => undefined;
  return (nonce) => {
    try {
      const renewed = read();
      const auth = renewed(nonce);
      lastGood = renewed;
      return auth;
    } catch {
      return lastGood(nonce);
    }
  };
}

function works(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}
