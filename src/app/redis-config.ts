import { describeRedis, redisAddress } from '../outbound/redis/redis-address';
import { demandTls, type TlsFiles } from '../outbound/redis/tls-files';
import { ConfigError, named, type Environment, type ServerAddress } from './environment';

export interface RedisConfig extends ServerAddress {
  readonly cluster: boolean;
  readonly prefix: string;
  readonly tlsFiles: TlsFiles;
}

/** Undefined without Redis. Throws `ConfigError`. */
export function redisConfig(env: Environment): RedisConfig | undefined {
  const cluster = env.isTrue('REDIS_CLUSTER');
  const protocols = ['redis:', 'rediss:'];
  if (/^redis(s?[-+]sentinel|-sentinels?):/.test(env.text('REDIS_URL') ?? '')) {
    throw new ConfigError('REDIS_URL names Sentinels, which are not supported: name the master, or use Redis Cluster');
  }
  const url = cluster ? env.urls('REDIS_URL', protocols).join() : env.url('REDIS_URL', protocols);
  if (cluster && !url) throw new ConfigError('REDIS_CLUSTER needs REDIS_URL');
  const prefix = env.matching('REDIS_PREFIX', /^[\w:.-]{1,64}$/, 'letters, digits, _, :, . and -') ?? '';
  const address = url ? named('REDIS_URL', () => redisAddress(url, cluster)) : undefined;
  const tlsFiles = tlsFilesOf(env, address?.hasTls ?? false);
  return url && address ? { url, cluster, prefix, tlsFiles, description: describeRedis(address, cluster) } : undefined;
}

function tlsFilesOf(env: Environment, hasTls: boolean): TlsFiles {
  const files = {
    caFile: env.file('REDIS_TLS_CA'),
    certFile: env.file('REDIS_TLS_CERT'),
    keyFile: env.file('REDIS_TLS_KEY'),
  };
  const first = files.caFile ? 'REDIS_TLS_CA' : files.certFile ? 'REDIS_TLS_CERT' : 'REDIS_TLS_KEY';
  const isGiven = Object.values(files).some((file) => file !== undefined);
  if (isGiven && !hasTls) throw new ConfigError(`${first} needs a REDIS_URL that begins with rediss://`);
  if (files.certFile && !files.keyFile) throw new ConfigError('REDIS_TLS_CERT needs REDIS_TLS_KEY');
  if (files.keyFile && !files.certFile) throw new ConfigError('REDIS_TLS_KEY needs REDIS_TLS_CERT');
  named('REDIS_TLS_CA', () => demandTls({ caFile: files.caFile }));
  named('REDIS_TLS_CERT', () => demandTls({ certFile: files.certFile, keyFile: files.keyFile }));
  return files;
}
