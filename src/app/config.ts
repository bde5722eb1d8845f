import { createPublicKey, type KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { IPv4, IPv6 } from 'ipaddr.js';
import { DEFAULT_MAX_ATTACHMENT_BYTES, MAX_ACTOR_LENGTH } from '../core/domain/limits';
import { describeNats, natsAddress } from '../outbound/nats/nats-address';
import { describePostgres } from '../outbound/postgres/postgres-address';
import { describeRedis, redisAddress } from '../outbound/redis/redis-address';
import { ConfigError, Environment, quote, type Variables } from './environment';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  readonly host: string;
  /** 0 lets the system choose one. */
  readonly port: number;
  readonly instanceId: string;
  readonly logLevel: LogLevel;
  readonly maxBodyBytes: number;
  readonly maxAttachmentBytes: number;
  readonly cacheTtlMs: number;
  readonly store: PostgresStore | EmbeddedStore;
  readonly postgresPoolSize: number;
  /** For how long calls are still served after a signal, until the endpoints are known to be gone. */
  readonly shutdownDelayMs: number;
  /** Undefined: an in-process cache. */
  readonly redis?: ServerAddress & { readonly cluster: boolean; readonly prefix: string };
  /** Undefined: no requests over NATS, and events stay in this process. */
  readonly nats?: ServerAddress & { readonly credsFile?: string; readonly prefix?: string };
  /** With neither of these two, authentication is off. */
  readonly apiKeysFile?: string;
  readonly accessTokens?: AccessTokenConfig;
  readonly rateLimits: RateLimitConfig;
  /** Addresses and CIDR ranges of proxies; what others say of where a request comes from is not believed. */
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

export interface AccessTokenConfig {
  readonly keys: { readonly publicKey: KeyObject } | { readonly jwksUrl: string };
  /** Undefined: not checked. */
  readonly issuer?: string;
  readonly audience?: string;
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
  const env = new Environment(variables);
  return {
    host: env.text('HOST') ?? '127.0.0.1',
    port: env.integer('PORT', { min: 0, max: 65_535, otherwise: 3000 }),
    instanceId: instanceId(env),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    maxBodyBytes: env.integer('MAX_BODY_BYTES', { min: 1024, max: 2 ** 28, otherwise: 2 * 1024 * 1024 }),
    maxAttachmentBytes: env.integer('MAX_ATTACHMENT_BYTES', {
      min: 1,
      max: 2 ** 28,
      otherwise: DEFAULT_MAX_ATTACHMENT_BYTES,
    }),
    cacheTtlMs: 1000 * env.integer('CACHE_TTL_SECONDS', { min: 1, max: 30 * 24 * 60 * 60, otherwise: 3600 }),
    store: store(env),
    postgresPoolSize: env.integer('POSTGRES_POOL_SIZE', { min: 1, max: 1000, otherwise: 16 }),
    shutdownDelayMs: env.integer('SHUTDOWN_DELAY_MS', { min: 0, max: 600_000, otherwise: 0 }),
    redis: redis(env),
    nats: nats(env),
    apiKeysFile: env.text('API_KEYS_FILE'),
    accessTokens: accessTokens(env),
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
  const prefix = matching(env, 'NATS_PREFIX', /^[\w-]{1,64}$/, 'letters, digits, _ and -');
  if (!url) return undefined;
  return { url, credsFile, prefix, description: named('NATS_URL', () => describeNats(natsAddress(url))) };
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

function accessTokens(env: Environment): AccessTokenConfig | undefined {
  const jwksUrl = env.url('JWT_JWKS_URL', ['https:', 'http:']);
  const publicKey = jwtPublicKey(env);
  const rules = { issuer: env.text('JWT_ISSUER'), audience: env.text('JWT_AUDIENCE') };
  if (jwksUrl && publicKey) throw new ConfigError('JWT_PUBLIC_KEY cannot be used together with JWT_JWKS_URL');
  if (jwksUrl) return { keys: { jwksUrl }, ...rules };
  if (publicKey) return { keys: { publicKey }, ...rules };
  // Whoever sets them believes that tokens are checked.
  if (rules.issuer) throw new ConfigError('JWT_ISSUER needs JWT_JWKS_URL or JWT_PUBLIC_KEY');
  if (rules.audience) throw new ConfigError('JWT_AUDIENCE needs JWT_JWKS_URL or JWT_PUBLIC_KEY');
  return undefined;
}

/** PEM, its line breaks also as `\n`: not every way to set a variable lets them through. */
function jwtPublicKey(env: Environment): KeyObject | undefined {
  const pem = env.text('JWT_PUBLIC_KEY')?.replaceAll('\\n', '\n');
  if (pem === undefined) return undefined;
  // A private key would do as well, but has no business here.
  if (pem.includes('PRIVATE KEY')) throw new ConfigError('JWT_PUBLIC_KEY must not be a private key');
  try {
    return createPublicKey(pem);
  } catch {
    throw new ConfigError('JWT_PUBLIC_KEY must be a public key in PEM form');
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
