import { createPublicKey, type KeyObject } from 'node:crypto';
import { FIT_KEYS, isFitForTokens } from '../inbound/auth/token-key';
import { ConfigError, quote, type Environment } from './environment';

/** Who may call. Without keys and tokens, authentication is off. */
export interface AccessConfig {
  readonly host: string;
  readonly apiKeysFile?: string;
  /** Undefined: no operator may look after a running replica over HTTP. */
  readonly operatorKeysFile?: string;
  readonly accessTokens?: AccessTokenConfig;
  /** Origins whose web pages may call. */
  readonly corsOrigins: readonly string[];
}

export interface AccessTokenConfig {
  readonly keys: { readonly publicKey: KeyObject } | { readonly jwksUrl: string };
  /** Undefined: not checked. */
  readonly issuer?: string;
  readonly audience?: string;
}

/** Throws `ConfigError`. */
export function accessConfig(env: Environment): AccessConfig {
  const access = {
    host: env.text('HOST') ?? '127.0.0.1',
    apiKeysFile: env.secret('API_KEYS_FILE'),
    operatorKeysFile: env.secret('OPERATOR_KEYS_FILE'),
    accessTokens: accessTokens(env),
    corsOrigins: corsOrigins(env),
  };
  checkThatAuthenticationIsMeant(env, access);
  return access;
}

export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

function checkThatAuthenticationIsMeant(
  env: Environment,
  { host, apiKeysFile, accessTokens }: Omit<AccessConfig, 'corsOrigins'>,
): void {
  const isOn = apiKeysFile !== undefined || accessTokens !== undefined;
  const isOff = env.oneOf('AUTH', ['off'], undefined) === 'off';
  if (isOff && isOn) throw new ConfigError('AUTH=off cannot be used together with API_KEYS_FILE or JWT_ variables');
  if (isOff || isOn || isLoopback(host)) return;
  throw new ConfigError(
    `HOST ${host} is not loopback, and authentication is off: set API_KEYS_FILE or JWT_ variables, or AUTH=off`,
  );
}

function accessTokens(env: Environment): AccessTokenConfig | undefined {
  env.secret('JWT_JWKS_URL');
  const jwksUrl = env.url('JWT_JWKS_URL', ['https:', 'http:']);
  if (jwksUrl && hasLogin(jwksUrl)) {
    throw new ConfigError('JWT_JWKS_URL must have no user and no password: no request can be made with them');
  }
  const publicKey = jwtPublicKey(env);
  const rules = { issuer: env.secret('JWT_ISSUER'), audience: env.secret('JWT_AUDIENCE') };
  if (jwksUrl && publicKey) throw new ConfigError('JWT_PUBLIC_KEY cannot be used together with JWT_JWKS_URL');
  if (jwksUrl) return { keys: { jwksUrl }, ...rules };
  if (publicKey) return { keys: { publicKey }, ...rules };
  // If they are set, the operator believes that tokens are checked.
  if (rules.issuer) throw new ConfigError('JWT_ISSUER needs JWT_JWKS_URL or JWT_PUBLIC_KEY');
  if (rules.audience) throw new ConfigError('JWT_AUDIENCE needs JWT_JWKS_URL or JWT_PUBLIC_KEY');
  return undefined;
}

function hasLogin(url: string): boolean {
  const { username, password } = new URL(url);
  return username !== '' || password !== '';
}

/** PEM, its line breaks also as `\n`: not every way to set a variable lets them through. */
function jwtPublicKey(env: Environment): KeyObject | undefined {
  const pem = env.secret('JWT_PUBLIC_KEY')?.replaceAll('\\n', '\n');
  if (pem === undefined) return undefined;
  // A private key would do as well, but the service must not have it.
  if (pem.includes('PRIVATE KEY')) throw new ConfigError('JWT_PUBLIC_KEY must not be a private key');
  if (pem.split('-----BEGIN').length > 2) {
    throw new ConfigError('JWT_PUBLIC_KEY must be one public key: only a key set at JWT_JWKS_URL may have several');
  }
  const key = publicKeyIn(pem);
  if (!key) throw new ConfigError('JWT_PUBLIC_KEY must be a public key in PEM form');
  if (!isFitForTokens(key)) throw new ConfigError(`JWT_PUBLIC_KEY must be ${FIT_KEYS}`);
  return key;
}

function publicKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}

function corsOrigins(env: Environment): readonly string[] {
  const origins = env.list('CORS_ORIGINS');
  for (const origin of origins) {
    if (/^https?:[^*]*$/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin) continue;
    throw new ConfigError(`CORS_ORIGINS must be a list such as https://app.example, is wrong at ${quote(origin)}`);
  }
  return origins;
}
