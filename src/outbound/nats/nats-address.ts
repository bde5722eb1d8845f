import type { ConnectionOptions } from '@nats-io/transport-node';

const DEFAULT_PORT = 4222;

/** Servers of one cluster, and how to log in. */
export type NatsAddress = Pick<ConnectionOptions, 'tls' | 'user' | 'pass' | 'token'> & {
  readonly servers: readonly string[];
};

/**
 * `nats://[user:password@]host:port`, `nats://token@host:port`, or `tls://`; several servers are separated by commas.
 * One credential is for all servers, and so is TLS. Throws an error that says what is wrong, without a word of the
 * URLs.
 */
export function natsAddress(urls: string): NatsAddress {
  const all = urls.split(',').map((url) => new URL(url));
  if (all.some(({ hostname }) => hostname === '')) throw new Error('must name a host in each URL');
  if (all.some(({ pathname, search }) => !['', '/'].includes(pathname) || search !== '')) {
    throw new Error('must end with the port');
  }
  const credentials = new Set(all.map(({ username, password }) => `${username}:${password}`));
  credentials.delete(':');
  if (credentials.size > 1) throw new Error('has two kinds of credentials');
  const [user = '', pass = ''] = [...credentials][0]?.split(':').map(decodeURIComponent) ?? [];
  return {
    servers: all.map(({ hostname, port }) => `${hostname}:${port || DEFAULT_PORT}`),
    tls: all.some(({ protocol }) => protocol === 'tls:') ? {} : undefined,
    ...(pass === '' ? { token: user || undefined } : { user, pass }),
  };
}

/** Files are read for each connection: what they hold may be renewed. */
export interface LoginFiles {
  /** With the credentials of a user in the format of `nsc`. */
  readonly credsFile?: string;
  /** With the seed of a user's nkey. */
  readonly nkeyFile?: string;
}

/** As one line, without the password or the token. */
export function describeNats({ servers, user, token, tls, credsFile, nkeyFile }: NatsAddress & LoginFiles): string {
  const logins = [
    ...(token === undefined ? [] : ['a token']),
    ...(user === undefined ? [] : [`user ${user}`]),
    ...(credsFile === undefined ? [] : [`the credentials in ${credsFile}`]),
    ...(nkeyFile === undefined ? [] : [`the nkey in ${nkeyFile}`]),
  ];
  const login = logins[0] ?? 'no user';
  // A server that offers TLS is believed even if the URL does not ask for it.
  return `NATS at ${servers.join(', ')}, ${login}, TLS ${tls ? 'on' : 'if the server asks for it'}`;
}
