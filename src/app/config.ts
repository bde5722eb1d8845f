import { accessSync, constants } from 'node:fs';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { IPv4, IPv6 } from 'ipaddr.js';
import { DEFAULT_MAX_ATTACHMENT_BYTES, MAX_ACTOR_LENGTH } from '../core/domain/limits';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
const LOG_FORMATS = ['pretty', 'json'] as const;

/** A setting that cannot be used; the message is the one line that the operator reads, and names the variable. */
export class ConfigError extends Error {}

export interface Config {
  readonly host: string;
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
  readonly store: { readonly kind: 'postgres'; readonly url: string } | EmbeddedStore;
  /** Undefined: an in-process cache. */
  readonly redis?: { readonly url: string; readonly cluster: boolean };
  /** Undefined: no requests over NATS, and events stay in this process. */
  readonly nats?: { readonly url: string; readonly credsFile?: string; readonly inboxPrefix?: string };
  /** With neither of these two, authentication is off. */
  readonly apiKeysFile?: string;
  /** Origins whose web pages may call. */
  readonly corsOrigins: readonly string[];
  readonly maxConnectionsPerPeer: number;
  readonly accessTokens?: AccessTokenConfig;
  readonly rateLimits: RateLimitConfig;
  /** Addresses and CIDR ranges of proxies; what others say of where a request comes from is not believed. */
  readonly trustedProxies: readonly string[];
  readonly maxInFlight: number;
  readonly maxEventLoopDelayMs: number;
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

type Environment = Readonly<Record<string, string | undefined>>;

const RATE_LIMIT = /^([a-z_.]+)=(\d{1,9})\/(\d{1,5})(s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** The only reader of the environment. Throws `ConfigError` for the first variable that cannot be used. */
export function loadConfig(env: Environment = process.env): Config {
  const access = { apiKeysFile: secret(env, 'API_KEYS_FILE'), accessTokens: accessTokens(env) };
  const host = given(env, 'HOST') ?? '127.0.0.1';
  checkThatAuthenticationIsMeant(env, host, access.apiKeysFile !== undefined || access.accessTokens !== undefined);
  return {
    ...access,
    host,
    port: integer(env, 'PORT', { min: 0, max: 65_535, otherwise: 3000 }),
    instanceId: instanceId(env),
    logLevel: oneOf(env, 'LOG_LEVEL', LOG_LEVELS, 'info'),
    logFormat: oneOf(env, 'LOG_FORMAT', LOG_FORMATS, undefined),
    maxBodyBytes: integer(env, 'MAX_BODY_BYTES', { min: 1024, max: 2 ** 28, otherwise: 8 * 1024 * 1024 }),
    maxReplyBytes: integer(env, 'MAX_REPLY_BYTES', { min: 1024, max: 2 ** 28, otherwise: 16 * 1024 * 1024 }),
    maxAttachmentBytes: integer(env, 'MAX_ATTACHMENT_BYTES', {
      min: 1,
      max: 2 ** 28,
      otherwise: DEFAULT_MAX_ATTACHMENT_BYTES,
    }),
    cacheTtlMs: 1000 * integer(env, 'CACHE_TTL_SECONDS', { min: 1, max: 30 * 24 * 60 * 60, otherwise: 3600 }),
    store: store(env),
    redis: redis(env),
    nats: nats(env),
    corsOrigins: corsOrigins(env),
    maxConnectionsPerPeer: integer(env, 'MAX_CONNECTIONS_PER_PEER', { min: 1, max: 1_000_000, otherwise: 1000 }),
    rateLimits: rateLimits(env),
    trustedProxies: trustedProxies(env),
    maxInFlight: integer(env, 'MAX_IN_FLIGHT', { min: 1, max: 1_000_000, otherwise: 1000 }),
    maxEventLoopDelayMs: integer(env, 'MAX_EVENT_LOOP_DELAY_MS', { min: 1, max: 60_000, otherwise: 1000 }),
  };
}

function store(env: Environment): Config['store'] {
  const address = url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  if (address) return { kind: 'postgres', url: address };
  const dataDir = given(env, 'DATA_DIR') ?? './data';
  return { kind: 'embedded', dataDir: dataDir === 'memory' ? undefined : dataDir };
}

function redis(env: Environment): Config['redis'] {
  const cluster = oneOf(env, 'REDIS_CLUSTER', ['true', 'false'] as const, 'false') === 'true';
  const address = url(env, 'REDIS_URL', ['redis:', 'rediss:'], { isList: cluster });
  if (cluster && !address) throw new ConfigError('REDIS_CLUSTER needs REDIS_URL');
  return address ? { url: address, cluster } : undefined;
}

function nats(env: Environment): Config['nats'] {
  const address = url(env, 'NATS_URL', ['nats:', 'tls:'], { isList: true });
  const credsFile = readableFile(env, 'NATS_CREDS');
  if (credsFile && !address) throw new ConfigError('NATS_CREDS needs NATS_URL');
  const inboxPrefix = given(env, 'NATS_INBOX_PREFIX');
  // Never below "$", nor below the subjects of methods and events: a reply must not be taken for a request.
  if (inboxPrefix !== undefined && !/^(?!task(?:\.|$))[\w-]+(?:\.[\w-]+)*$/.test(inboxPrefix)) {
    throw new ConfigError(`NATS_INBOX_PREFIX must be a subject such as inbox.callers, is ${quote(inboxPrefix)}`);
  }
  return address ? { url: address, credsFile, inboxPrefix } : undefined;
}

function accessTokens(env: Environment): AccessTokenConfig | undefined {
  secret(env, 'JWT_JWKS_URL');
  const jwksUrl = url(env, 'JWT_JWKS_URL', ['https:', 'http:']);
  const publicKey = jwtPublicKey(env);
  const rules = { issuer: secret(env, 'JWT_ISSUER'), audience: secret(env, 'JWT_AUDIENCE') };
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
  const pem = secret(env, 'JWT_PUBLIC_KEY')?.replaceAll('\\n', '\n');
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
  const perMinute = integer(env, 'RATE_LIMIT_PER_MINUTE', { min: 0, max: 1_000_000_000, otherwise: 0 });
  const perMethod = list(env, 'RATE_LIMITS').map((rule) => {
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
  const ranges = list(env, 'TRUST_PROXY');
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
  const id = given(env, 'INSTANCE_ID') ?? hostname();
  if (id.length > MAX_ACTOR_LENGTH || !/^[\x20-\x7e]+$/.test(id)) {
    throw new ConfigError(`INSTANCE_ID must be 1 to ${MAX_ACTOR_LENGTH} printable ASCII characters`);
  }
  return id;
}

function integer(env: Environment, name: string, range: { min: number; max: number; otherwise: number }): number {
  const text = given(env, name);
  if (text === undefined) return range.otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= range.min && value <= range.max) return value;
  throw new ConfigError(`${name} must be an integer from ${range.min} to ${range.max}, is ${quote(text)}`);
}

function oneOf<T extends string, Otherwise>(
  env: Environment,
  name: string,
  values: readonly T[],
  otherwise: Otherwise,
): T | Otherwise {
  const text = given(env, name);
  if (text === undefined) return otherwise;
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw new ConfigError(`${name} must be one of ${values.join(', ')}, is ${quote(text)}`);
  return value;
}

/** The message does not repeat the value: it may carry a password. */
function url(
  env: Environment,
  name: string,
  protocols: readonly string[],
  { isList } = { isList: false },
): string | undefined {
  const text = given(env, name);
  if (text === undefined) return undefined;
  const urls = isList ? text.split(',') : [text];
  if (urls.every((one) => URL.canParse(one) && protocols.includes(new URL(one).protocol))) return text;
  throw new ConfigError(`${name} must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`);
}

function readableFile(env: Environment, name: string): string | undefined {
  const path = given(env, name);
  if (path === undefined) return undefined;
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    throw new ConfigError(`${name} must be a file that can be read, is ${quote(path)}`);
  }
}

function list(env: Environment, name: string): readonly string[] {
  return (
    given(env, name)
      ?.split(',')
      .map((entry) => entry.trim()) ?? []
  );
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** If a variable for keys or tokens is empty, the secret was not filled in: it must not open the service. */
function secret(env: Environment, name: string): string | undefined {
  if (env[name]?.trim() === '') throw new ConfigError(`${name} is set, but empty`);
  return env[name];
}

function checkThatAuthenticationIsMeant(env: Environment, host: string, isOn: boolean): void {
  const isOff = oneOf(env, 'AUTH', ['off'] as const, undefined) === 'off';
  if (isOff && isOn) throw new ConfigError('AUTH=off cannot be used together with API_KEYS_FILE or JWT_ variables');
  if (isOff || isOn || isLoopback(host)) return;
  throw new ConfigError(
    `HOST ${host} is not loopback, and authentication is off: set API_KEYS_FILE or JWT_ variables, or AUTH=off`,
  );
}

export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

function corsOrigins(env: Environment): readonly string[] {
  const origins = list(env, 'CORS_ORIGINS');
  for (const origin of origins) {
    if (URL.canParse(origin) && /^https?:/.test(origin) && new URL(origin).origin === origin) continue;
    throw new ConfigError(`CORS_ORIGINS must be a list such as https://app.example, is wrong at ${quote(origin)}`);
  }
  return origins;
}

/** An empty variable counts as unset, as in a compose file that passes one on. */
function given(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name];
}
