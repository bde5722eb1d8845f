import { hostname } from 'node:os';
import { IPv4, IPv6 } from 'ipaddr.js';
import { DEFAULT_MAX_ATTACHMENT_BYTES, MAX_ACTOR_LENGTH } from '../core/domain/limits';
import { describeNats, natsAddress } from '../outbound/nats/nats-address';
import { describePostgres } from '../outbound/postgres/postgres-address';
import { describeRedis, redisAddress } from '../outbound/redis/redis-address';
import { accessConfig, type AccessConfig } from './access-config';
import { ConfigError, Environment, quote, type Variables } from './environment';
import { SECRET_FILE_VARIABLES, withSecretFiles } from './secret-files';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_FORMATS = ['pretty', 'json'] as const;

export interface Config extends AccessConfig {
  /** 0 lets the system choose one. */
  readonly port: number;
  readonly instanceId: string;
  readonly logLevel: LogLevel;
  /** Undefined: readable lines on a terminal, else JSON. */
  readonly logFormat?: (typeof LOG_FORMATS)[number];
  readonly maxBodyBytes: number;
  readonly maxReplyBytes: number;
  readonly maxAttachmentBytes: number;
  readonly cacheTtlMs: number;
  readonly store: PostgresStore | EmbeddedStore;
  readonly postgresPoolSize: number;
  /** Whether the service changes the schema by itself. */
  readonly migrates: boolean;
  /** For how long calls are still served after a signal, until the endpoints are known to be gone. */
  readonly shutdownDelayMs: number;
  /** Undefined: an in-process cache. */
  readonly redis?: ServerAddress & { readonly cluster: boolean; readonly prefix: string };
  /** Undefined: no requests over NATS, and events stay in this process. */
  readonly nats?: ServerAddress & {
    readonly credsFile?: string;
    readonly inboxPrefix?: string;
    readonly prefix?: string;
  };
  readonly maxConnectionsPerPeer: number;
  readonly rateLimits: RateLimitConfig;
  /** Addresses and CIDR ranges of proxies; only these are believed about the origin of a request. */
  readonly trustedProxies: readonly string[];
  readonly maxInFlight: number;
  readonly maxEventLoopDelayMs: number;
  /** Of variables that seem to be misspelt. */
  readonly warnings: readonly string[];
}

/** `description` is what the URL means, without its secrets. */
interface ServerAddress {
  readonly url: string;
  readonly description: string;
}

interface PostgresStore extends ServerAddress {
  readonly kind: 'postgres';
}

export interface RateLimitConfig {
  /** Of methods that have no limit of their own; 0 for no limit. */
  readonly perMinute: number;
  readonly perMethod: ReadonlyMap<string, { readonly limit: number; readonly windowMs: number }>;
}

/** `dataDir` undefined: in memory, nothing is kept. */
export interface EmbeddedStore {
  readonly kind: 'embedded';
  readonly dataDir?: string;
}

const RATE_LIMIT = /^([a-z_.]+)=(\d{1,9})\/(\d{1,5})(s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** The only reader of the environment. Throws `ConfigError` for the first variable that cannot be used. */
export function loadConfig(variables: Variables = process.env): Config {
  const env = new Environment(withSecretFiles(variables), SECRET_FILE_VARIABLES);
  return {
    ...accessConfig(env),
    port: env.integer('PORT', { min: 0, max: 65_535, otherwise: 3000 }),
    instanceId: instanceId(env),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    logFormat: env.oneOf('LOG_FORMAT', LOG_FORMATS, undefined),
    maxBodyBytes: env.integer('MAX_BODY_BYTES', { min: 1024, max: 2 ** 28, otherwise: 8 * 1024 * 1024 }),
    maxReplyBytes: env.integer('MAX_REPLY_BYTES', { min: 1024, max: 2 ** 28, otherwise: 16 * 1024 * 1024 }),
    maxAttachmentBytes: env.integer('MAX_ATTACHMENT_BYTES', {
      min: 1,
      max: 2 ** 28,
      otherwise: DEFAULT_MAX_ATTACHMENT_BYTES,
    }),
    cacheTtlMs: 1000 * env.integer('CACHE_TTL_SECONDS', { min: 1, max: 30 * 24 * 60 * 60, otherwise: 3600 }),
    store: store(env),
    postgresPoolSize: env.integer('POSTGRES_POOL_SIZE', { min: 1, max: 1000, otherwise: 16 }),
    migrates: migrates(env),
    shutdownDelayMs: env.integer('SHUTDOWN_DELAY_MS', { min: 0, max: 600_000, otherwise: 0 }),
    redis: redis(env),
    nats: nats(env),
    maxConnectionsPerPeer: env.integer('MAX_CONNECTIONS_PER_PEER', { min: 1, max: 1_000_000, otherwise: 1000 }),
    rateLimits: rateLimits(env),
    trustedProxies: trustedProxies(env),
    maxInFlight: env.integer('MAX_IN_FLIGHT', { min: 1, max: 1_000_000, otherwise: 1000 }),
    maxEventLoopDelayMs: env.integer('MAX_EVENT_LOOP_DELAY_MS', { min: 1, max: 60_000, otherwise: 1000 }),
    // The last one: every name has been asked for by now.
    warnings: env.warnings,
  };
}

function store(env: Environment): Config['store'] {
  const isProduction = env.text('NODE_ENV') === 'production';
  const dataDir = env.text('DATA_DIR') ?? './data';
  const address = env.text('DATABASE_URL');
  if (address === undefined && isProduction) {
    throw new ConfigError(
      'DATABASE_URL must be set in production: DATABASE_URL=embedded asks for the embedded database',
    );
  }
  if (address === 'memory') return { kind: 'embedded', dataDir: undefined };
  if (address === undefined || address === 'embedded') {
    return { kind: 'embedded', dataDir: dataDir === 'memory' ? undefined : dataDir };
  }
  const url = env.url('DATABASE_URL', ['postgres:', 'postgresql:']) as string;
  return { kind: 'postgres', url, description: named('DATABASE_URL', () => describePostgres(url)) };
}

function migrates(env: Environment): boolean {
  const migrates = env.oneOf('MIGRATE', ['on', 'off'], 'on') === 'on';
  if (!migrates && store(env).kind === 'embedded') {
    throw new ConfigError(
      'MIGRATE cannot be off without a PostgreSQL in DATABASE_URL: what is embedded has no other process',
    );
  }
  return migrates;
}

function redis(env: Environment): Config['redis'] {
  const cluster = env.isTrue('REDIS_CLUSTER');
  const protocols = ['redis:', 'rediss:'];
  const url = cluster ? env.urls('REDIS_URL', protocols).join() : env.url('REDIS_URL', protocols);
  if (cluster && !url) throw new ConfigError('REDIS_CLUSTER needs REDIS_URL');
  const prefix = matching(env, 'REDIS_PREFIX', /^[\w:.-]{1,64}$/, 'letters, digits, _, :, . and -') ?? '';
  if (!url) return undefined;
  return {
    url,
    cluster,
    prefix,
    description: named('REDIS_URL', () => describeRedis(redisAddress(url, cluster), cluster)),
  };
}

function nats(env: Environment): Config['nats'] {
  const url = env.urls('NATS_URL', ['nats:', 'tls:']).join();
  const credsFile = env.file('NATS_CREDS');
  if (credsFile && !url) throw new ConfigError('NATS_CREDS needs NATS_URL');
  const inboxPrefix = env.text('NATS_INBOX_PREFIX');
  // Never below "$", nor below the subjects of methods and events: a reply must not be taken for a request.
  if (inboxPrefix !== undefined && !/^(?!task(?:\.|$))[\w-]+(?:\.[\w-]+)*$/.test(inboxPrefix)) {
    throw new ConfigError(`NATS_INBOX_PREFIX must be a subject such as inbox.callers, is ${quote(inboxPrefix)}`);
  }
  const prefix = matching(env, 'NATS_PREFIX', /^[\w-]{1,64}$/, 'letters, digits, _ and -');
  if (prefix !== undefined && inboxPrefix?.split('.')[0] === prefix) {
    throw new ConfigError('NATS_INBOX_PREFIX must not be below NATS_PREFIX, where requests and events are');
  }
  if (!url) return undefined;
  return { url, credsFile, inboxPrefix, prefix, description: named('NATS_URL', () => describeNats(natsAddress(url))) };
}

function matching(env: Environment, name: string, pattern: RegExp, characters: string): string | undefined {
  const text = env.text(name);
  if (text === undefined || pattern.test(text)) return text;
  throw new ConfigError(`${name} must be at most 64 ${characters}, is ${quote(text)}`);
}

/** What the parser of a URL refuses, with the name of the variable. */
function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ConfigError(`${name} ${(error as Error).message}`);
  }
}

function rateLimits(env: Environment): RateLimitConfig {
  const perMinute = env.integer('RATE_LIMIT_PER_MINUTE', { min: 0, max: 1_000_000_000, otherwise: 0 });
  const perMethod = env.list('RATE_LIMITS').map((rule) => {
    const [, method = '', limit, length, unit = ''] = RATE_LIMIT.exec(rule) ?? [];
    const windowMs = Number(length) * (UNIT_MS[unit] as number);
    if (windowMs > 0) return [method, { limit: Number(limit), windowMs }] as const;
    throw new ConfigError(
      `RATE_LIMITS must be a list such as task.get=50/60s,task.list=10/1m, is wrong at ${quote(rule)}`,
    );
  });
  return { perMinute, perMethod: new Map(perMethod) };
}

function trustedProxies(env: Environment): readonly string[] {
  const ranges = env.list('TRUST_PROXY');
  for (const range of ranges) {
    if (isAddressRange(range)) continue;
    throw new ConfigError(`TRUST_PROXY must be a list of IP addresses and CIDR ranges, is wrong at ${quote(range)}`);
  }
  return ranges;
}

/** Of IPv4 only four decimal parts: other spellings mean one address to some programs, and another to others. */
function isAddressRange(text: string): boolean {
  const isAddress = IPv4.isValidFourPartDecimal(text) || IPv6.isValid(text);
  return isAddress || IPv4.isValidCIDRFourPartDecimal(text) || IPv6.isValidCIDR(text);
}

function instanceId(env: Environment): string {
  const id = env.text('INSTANCE_ID') ?? hostname();
  if (id.length > MAX_ACTOR_LENGTH || !/^[\x20-\x7e]+$/.test(id)) {
    throw new ConfigError(`INSTANCE_ID must be 1 to ${MAX_ACTOR_LENGTH} printable ASCII characters`);
  }
  return id;
}
