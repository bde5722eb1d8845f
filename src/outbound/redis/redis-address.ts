import { Redis } from 'ioredis';

export interface RedisAddress {
  readonly nodes: readonly { readonly host?: string; readonly port?: number }[];
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly hasTls: boolean;
}

/**
 * What the URL means to the client that will use it. For a cluster: the URLs of several nodes, separated by commas; one
 * of them is enough to carry the credentials. Throws an error that says what is wrong, without a word of the URLs.
 */
export function redisAddress(url: string, isCluster: boolean): RedisAddress {
  const nodes = (isCluster ? url.split(',') : [url]).map(optionsOf);
  const users = new Map(
    nodes.map(({ username, password }) => [JSON.stringify([username, password]), { username, password }]),
  );
  users.delete(JSON.stringify([undefined, undefined]));
  const [{ db, hasTls }] = nodes as [(typeof nodes)[0]];
  if (users.size > 1) throw new Error('has two kinds of credentials');
  if (nodes.some((node) => node.hasTls !== hasTls))
    throw new Error('must be redis:// in each URL, or rediss:// in each');
  if (isCluster && nodes.some((node) => node.db !== 0)) throw new Error('names a database: a cluster has none');
  return { nodes: nodes.map(({ host, port }) => ({ host, port })), db, hasTls, ...[...users.values()][0] };
}

/** As one line, without the password. */
export function describeRedis({ nodes, db, username, hasTls }: RedisAddress, isCluster: boolean): string {
  const where = nodes.map(({ host, port }) => `${host}:${port}`).join(', ');
  const what = isCluster ? `Redis Cluster at ${where}` : `Redis at ${where}, database ${db}`;
  return `${what}, user ${username || 'default'}, TLS ${hasTls ? 'on' : 'off'}`;
}

/** As the client reads them. Opens nothing. */
function optionsOf(url: string) {
  if (new URL(url).hostname === '') throw new Error('must name a host');
  if (new URL(url).search !== '') throw new Error('must end with the number of a database, or with nothing');
  const { host, port, username, password, db, tls } = new Redis(url, { lazyConnect: true }).options;
  if (!Number.isInteger(Number(db ?? 0))) throw new Error('must end with the number of a database, or with nothing');
  return {
    host,
    port,
    username: username || undefined,
    password: password || undefined,
    db: Number(db ?? 0),
    hasTls: tls !== undefined,
  };
}
