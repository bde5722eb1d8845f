import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions, type SecureContext } from 'node:tls';

/** PEM files. Undefined: the certificates of the system, and no certificate of the client. */
export interface TlsFiles {
  /** The certificates that are believed instead of the system's. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Throws an error that says what is wrong with them. */
export function demandTls(files: TlsFiles): void {
  try {
    contextOf(files);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Error(`cannot be used: ${reason}`, { cause: error });
  }
}

/**
 * The files are read for each connection, so that renewed certificates need no restart. While they do not fit each
 * other, the last ones are used: a client that cannot even begin to connect would end for good.
 */
export function tlsOptions(files: TlsFiles): ConnectionOptions {
  let last = contextOf(files);
  return {
    get secureContext() {
      try {
        last = contextOf(files);
      } catch {
        // They are being renewed.
      }
      return last;
    },
  };
}

function contextOf({ caFile, certFile, keyFile }: TlsFiles): SecureContext {
  const read = (file?: string) => (file === undefined ? undefined : readFileSync(file));
  const ca = read(caFile);
  // The context would take any other text for no certificate.
  if (ca) new X509Certificate(ca);
  return createSecureContext({ ca, cert: read(certFile), key: read(keyFile) });
}
