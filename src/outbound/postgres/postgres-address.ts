import { Client } from 'pg';
import { withoutStartUpParameters } from './start-up-parameters';

/**
 * What the URL means to the client that will use it, as one line without the password. Throws an error that says what
 * is wrong with it, without a word of the URL.
 */
export function describePostgres(url: string): string {
  const { host, port, user, database, ssl } = targetOf(url);
  if (new URL(url).hostname === '' && !new URL(url).searchParams.has('host')) throw new Error('must name a host');
  if (host.includes(',')) throw new Error('must name one host');
  withoutStartUpParameters(url);
  const where = host.startsWith('/') ? `the socket in ${host}` : `${host}:${port}`;
  return `PostgreSQL at ${where}, database ${database}, user ${user}, TLS ${ssl ? 'on' : 'off'}`;
}

/** Host, port, database and TLS: with the same ones the same database is reached, under any user. */
export function postgresIdentity(url: string): string {
  const { host, port, database, ssl } = targetOf(url);
  return JSON.stringify([host, port, database, Boolean(ssl)]);
}

/** What the client makes of the URL. Opens nothing. A certificate that the URL names is read. */
export function targetOf(url: string): { host: string; port: number; user: string; database: string; ssl: unknown } {
  try {
    // The types know `ssl` only as an option.
    const client = new Client({ connectionString: url }) as Client & { ssl: unknown };
    return { ...client, user: String(client.user), database: String(client.database), ssl: client.ssl };
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    // A file of certificates is no secret. Not as the cause, whose message may repeat the URL.
    // eslint-disable-next-line preserve-caught-error
    throw new Error(`cannot be used${[code, path].map((part) => part && `: ${part}`).join('')}`);
  }
}
