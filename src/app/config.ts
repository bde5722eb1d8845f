import { hostname } from 'node:os';
import { IPv4, IPv6 } from 'ipaddr.js';
import { DEFAULT_MAX_ATTACHMENT_BYTES, MAX_ACTOR_LENGTH } from '../core/domain/limits';
import { describePostgres } from '../outbound/postgres/postgres-address';
import { withoutStartUpParameters } from '../outbound/postgres/start-up-parameters';
import { accessConfig, type AccessConfig } from './access-config';
import { ConfigError, Environment, named, quote, type ServerAddress, type Variables } from './environment';
import { LOG_LEVELS, type LogLevel } from './log-level';
import { mcpConfig, type McpConfig } from './mcp-config';
import { natsConfig, type NatsConfig } from './nats-config';
import { redisConfig, type RedisConfig } from './redis-config';
import { OPERATOR_SECRETS, operatorConfig, REMOTE_SECRETS, remoteConfig, type RemoteConfig } from './remote-config';
import { SECRET_FILE_VARIABLES, withSecretFiles } from './secret-files';
import { tracingConfig, type TracingConfig } from './tracing-config';

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
  /** How long finished tasks are kept; 0 for ever. */
  readonly finishedRetentionMs: number;
  readonly store: PostgresStore | EmbeddedStore;
  readonly postgresPoolSize: number;
  /** Whether the service changes the schema by itself. */
  readonly migrates: boolean;
  /** For how long calls are still served after a signal, until the endpoints are known to be gone. */
  readonly shutdownDelayMs: number;
  /** Undefined: an in-process cache. */
  readonly redis?: RedisConfig;
  /** Undefined: no requests over NATS, and events stay in this process. */
  readonly nats?: NatsConfig;
  /** Undefined: no traces. */
  readonly tracing?: TracingConfig;
  readonly maxConnectionsPerPeer: number;
  readonly rateLimits: RateLimitConfig;
  /** Undefined: no organisation has a quota. */
  readonly quotasFile?: string;
  /** Addresses and CIDR ranges of proxies; only these are believed about the origin of a request. */
  readonly trustedProxies: readonly string[];
  readonly maxInFlight: number;
  readonly maxEventLoopDelayMs: number;
  /** Whether the machine-readable contracts are served. */
  readonly docs: boolean;
  /** Undefined: not served. */
  readonly mcp?: McpConfig;
  /** Of variables that seem to be misspelt, and of parameters that mean nothing. */
  readonly warnings: readonly string[];
}

interface PostgresStore extends ServerAddress {
  readonly kind: 'postgres';
  /** Past the pooler in `url`, if there is one. */
  readonly directUrl?: string;
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
const DAY_MS = 86_400_000;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** For commands that call a running service; `url` goes before `DOSSIER_URL`. Throws `ConfigError`. */
export function loadRemoteConfig(url: string | undefined, variables: Variables = process.env): RemoteConfig {
  return remoteConfig(new Environment(withSecretFiles(variables, REMOTE_SECRETS)), url);
}

/** As `loadRemoteConfig`, for commands that look after a running replica. */
export function loadOperatorConfig(url: string | undefined, variables: Variables = process.env): RemoteConfig {
  return operatorConfig(new Environment(withSecretFiles(variables, OPERATOR_SECRETS)), url);
}

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
    finishedRetentionMs: DAY_MS * env.integer('RETENTION_FINISHED_DAYS', { min: 0, max: 36_500, otherwise: 0 }),
    store: store(env),
    postgresPoolSize: env.integer('POSTGRES_POOL_SIZE', { min: 1, max: 1000, otherwise: 16 }),
    migrates: migrates(env),
    shutdownDelayMs: env.integer('SHUTDOWN_DELAY_MS', { min: 0, max: 600_000, otherwise: 0 }),
    redis: redisConfig(env),
    nats: natsConfig(env),
    tracing: tracingConfig(env),
    maxConnectionsPerPeer: env.integer('MAX_CONNECTIONS_PER_PEER', { min: 1, max: 1_000_000, otherwise: 1000 }),
    rateLimits: rateLimits(env),
    quotasFile: env.text('QUOTAS_FILE'),
    trustedProxies: trustedProxies(env),
    maxInFlight: env.integer('MAX_IN_FLIGHT', { min: 1, max: 1_000_000, otherwise: 1000 }),
    maxEventLoopDelayMs: env.integer('MAX_EVENT_LOOP_DELAY_MS', { min: 1, max: 60_000, otherwise: 1000 }),
    docs: env.oneOf('DOCS', ['on', 'off'], 'on') === 'on',
    mcp: mcpConfig(env),
    // The last one: every name has been asked for by now.
    warnings: [...ignoredParameters(env), ...env.warnings],
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
  const isEmbedded = address === undefined || ['embedded', 'memory'].includes(address);
  if (isEmbedded && env.text('DATABASE_DIRECT_URL')) {
    throw new ConfigError('DATABASE_DIRECT_URL needs a DATABASE_URL of PostgreSQL');
  }
  if (address === 'memory') return { kind: 'embedded', dataDir: undefined };
  if (isEmbedded) {
    return { kind: 'embedded', dataDir: dataDir === 'memory' ? undefined : dataDir };
  }
  const { url, description } = postgres(env, 'DATABASE_URL') as ServerAddress;
  const direct = postgres(env, 'DATABASE_DIRECT_URL');
  if (!direct) return { kind: 'postgres', url, description };
  const directly = `${description}; past the pooler: ${direct.description}`;
  return { kind: 'postgres', url, directUrl: direct.url, description: directly };
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

function postgres(env: Environment, name: string): ServerAddress | undefined {
  const url = env.url(name, ['postgres:', 'postgresql:']);
  return url === undefined ? undefined : { url, description: named(name, () => describePostgres(url)) };
}

function ignoredParameters(env: Environment): readonly string[] {
  return ['DATABASE_URL', 'DATABASE_DIRECT_URL'].flatMap((name) => {
    const url = env.text(name);
    const ignored = url && URL.canParse(url) ? withoutStartUpParameters(url).ignored : [];
    return ignored.length > 0 ? [`${name} has parameters without a meaning here: ${ignored.join(', ')}`] : [];
  });
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
  const limits = new Map(perMethod);
  if (limits.size < perMethod.length) throw new ConfigError('RATE_LIMITS has two limits for one method');
  return { perMinute, perMethod: limits };
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
