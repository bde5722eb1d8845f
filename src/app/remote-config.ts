import { ConfigError, type Environment } from './environment';

/** Where a running service is, and the credential of its caller. */
export interface RemoteConfig {
  readonly url: string;
  /** The headers of the credential. */
  readonly headers: Readonly<Record<string, string>>;
}

/** As `withSecretFiles` reads it. */
export const OPERATOR_SECRETS = ['DOSSIER_OPERATOR_KEY'];

const DEFAULT_URL = 'http://127.0.0.1:3000';
/** As `withSecretFiles` reads them. */
export const REMOTE_SECRETS = ['DOSSIER_API_KEY', 'DOSSIER_TOKEN'];

/** Credentials come from variables and files alone: other users of a machine see the arguments of its programs. */
export function remoteConfig(env: Environment, url: string | undefined): RemoteConfig {
  const apiKey = env.secret('DOSSIER_API_KEY');
  const token = env.secret('DOSSIER_TOKEN');
  if (apiKey !== undefined && token !== undefined) {
    throw new ConfigError('DOSSIER_API_KEY and DOSSIER_TOKEN cannot be used together');
  }
  const headers = {
    ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return { url: addressOf(env, url), headers: asBytes(headers) };
}

/** For commands that look after a running replica. */
export function operatorConfig(env: Environment, url: string | undefined): RemoteConfig {
  const key = env.secret('DOSSIER_OPERATOR_KEY');
  if (key === undefined) {
    throw new ConfigError('DOSSIER_OPERATOR_KEY is not set: a key of the OPERATOR_KEYS_FILE of the replica');
  }
  return { url: addressOf(env, url), headers: asBytes({ 'x-operator-key': key }) };
}

/** No message repeats the address: it may carry a password. */
function addressOf(env: Environment, option: string | undefined): string {
  const url = option ?? env.url('DOSSIER_URL', ['http:', 'https:']) ?? DEFAULT_URL;
  if (!URL.canParse(url) || !/^https?:\/\//.test(url)) {
    throw new ConfigError('the address of the service must be a URL that begins with http:// or https://');
  }
  const { username, password } = new URL(url);
  if (username !== '' || password !== '') {
    throw new ConfigError(
      'the address of the service must have no user and no password: credentials have variables of their own',
    );
  }
  return url.replace(/\/+$/, '');
}

/** `fetch` takes values of Latin-1; the service reads UTF-8. No message repeats the value. */
function asBytes(headers: Record<string, string>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => {
    if (/[\0\r\n]/.test(value)) throw new ConfigError(`the credential for ${name} must be one line`);
    return [name, Buffer.from(value).toString('latin1')] as const;
  });
  return Object.fromEntries(entries);
}
