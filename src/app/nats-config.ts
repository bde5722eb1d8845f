import { describeNats, natsAddress } from '../outbound/nats/nats-address';
import { ConfigError, named, quote, type Environment, type ServerAddress } from './environment';

export interface NatsConfig extends ServerAddress {
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  readonly credsFile?: string;
  readonly nkeyFile?: string;
  readonly inboxPrefix?: string;
  readonly prefix?: string;
}

/** Undefined without NATS. Throws `ConfigError`. */
export function natsConfig(env: Environment): NatsConfig | undefined {
  const url = env.urls('NATS_URL', ['nats:', 'tls:']).join();
  const login = loginOf(env, url);
  const inboxPrefix = env.text('NATS_INBOX_PREFIX');
  // Never below "$", nor below the subjects of methods and events: a reply must not be taken for a request.
  if (inboxPrefix !== undefined && !/^(?!task(?:\.|$))[\w-]+(?:\.[\w-]+)*$/.test(inboxPrefix)) {
    throw new ConfigError(`NATS_INBOX_PREFIX must be a subject such as inbox.callers, is ${quote(inboxPrefix)}`);
  }
  const prefix = env.matching('NATS_PREFIX', /^[\w-]{1,64}$/, 'letters, digits, _ and -');
  if (prefix !== undefined && inboxPrefix?.split('.')[0] === prefix) {
    throw new ConfigError('NATS_INBOX_PREFIX must not be below NATS_PREFIX, where requests and events are');
  }
  if (!url) return undefined;
  const { servers, tls, token = login.token, user = login.user } = natsAddress(url);
  const description = describeNats({ ...login, servers, tls, token, user });
  return { url, ...login, inboxPrefix, prefix, description };
}

/** One kind: of two, the server would choose. */
function loginOf(env: Environment, url: string): Partial<NatsConfig> {
  const login = {
    token: env.secret('NATS_TOKEN'),
    user: env.text('NATS_USER'),
    password: env.secret('NATS_PASSWORD'),
    credsFile: env.file('NATS_CREDS'),
    nkeyFile: env.file('NATS_NKEY'),
  };
  const { token, user } = url ? named('NATS_URL', () => natsAddress(url)) : {};
  const kinds = [
    ...(token === undefined && user === undefined ? [] : ['a login in NATS_URL']),
    ...(login.token === undefined ? [] : ['NATS_TOKEN']),
    ...(login.user === undefined ? [] : ['NATS_USER']),
    ...(login.credsFile === undefined ? [] : ['NATS_CREDS']),
    ...(login.nkeyFile === undefined ? [] : ['NATS_NKEY']),
  ];
  if (kinds.length > 1) throw new ConfigError(`${kinds[1]} cannot be used together with ${kinds[0]}`);
  if (kinds[0] !== undefined && !url) throw new ConfigError(`${kinds[0]} needs NATS_URL`);
  if (login.user === undefined && login.password !== undefined) throw new ConfigError('NATS_PASSWORD needs NATS_USER');
  if (login.user !== undefined && login.password === undefined) throw new ConfigError('NATS_USER needs NATS_PASSWORD');
  return login;
}
