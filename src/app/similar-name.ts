import { distance } from 'fastest-levenshtein';

/** What other programs call the same thing. */
const ALIASES: Readonly<Record<string, string>> = {
  DATABASE_URI: 'DATABASE_URL',
  DB_URI: 'DATABASE_URL',
  DB_URL: 'DATABASE_URL',
  PG_URL: 'DATABASE_URL',
  PGURL: 'DATABASE_URL',
  POSTGRES_URI: 'DATABASE_URL',
  POSTGRES_URL: 'DATABASE_URL',
  POSTGRESQL_URI: 'DATABASE_URL',
  POSTGRESQL_URL: 'DATABASE_URL',
  POOL_SIZE: 'POSTGRES_POOL_SIZE',
  DATABASE_POOL_SIZE: 'POSTGRES_POOL_SIZE',
  REDIS_URI: 'REDIS_URL',
  REDIS_CLUSTER_URL: 'REDIS_URL',
  NATS_URI: 'NATS_URL',
  NATS_SERVER: 'NATS_URL',
  NATS_SERVERS: 'NATS_URL',
  NATS_CREDENTIALS: 'NATS_CREDS',
  NATS_CREDS_FILE: 'NATS_CREDS',
  NATS_NKEY_FILE: 'NATS_NKEY',
  NATS_NKEY_SEED: 'NATS_NKEY',
  NATS_PASS: 'NATS_PASSWORD',
  NATS_USERNAME: 'NATS_USER',
  DATABASE_DIRECT_URI: 'DATABASE_DIRECT_URL',
  DIRECT_URL: 'DATABASE_DIRECT_URL',
  DIRECT_DATABASE_URL: 'DATABASE_DIRECT_URL',
  API_KEYS: 'API_KEYS_FILE',
  JWKS_URL: 'JWT_JWKS_URL',
  LOGLEVEL: 'LOG_LEVEL',
  HTTP_PORT: 'PORT',
  SERVER_PORT: 'PORT',
  MIGRATIONS: 'MIGRATE',
  RUN_MIGRATIONS: 'MIGRATE',
  RETENTION_DAYS: 'RETENTION_FINISHED_DAYS',
  TASK_RETENTION_DAYS: 'RETENTION_FINISHED_DAYS',
  FINISHED_RETENTION_DAYS: 'RETENTION_FINISHED_DAYS',
  SHUTDOWN_DELAY: 'SHUTDOWN_DELAY_MS',
  SHUTDOWN_DELAY_SECONDS: 'SHUTDOWN_DELAY_MS',
};

/** Set by systems and shells: one that happens to be near to a name of ours means nothing. */
const OF_THE_SYSTEM = ['HOME', 'HOSTNAME', 'LOGNAME', 'PATH', 'PWD', 'SHELL', 'TERM', 'USER', 'HOSTTYPE', 'OSTYPE'];

/** Shorter names have so few letters that two other ones make another word. */
const LONG_NAME_LENGTH = 8;

const OF_ACCESS = /^(?:AUTH|JWKS|JWT)_/;
/** Kubernetes sets such variables in each container, for every service of the namespace, also for one called `auth`. */
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_\w+)?)$/;

/** Whether an operator who sets such a variable believes that callers are checked. */
function seemsToBeOfAccess(name: string): boolean {
  return OF_ACCESS.test(name) && !SERVICE_LINK.test(name);
}

/** The name that was probably meant; undefined if it resembles none. */
export function similarName(name: string, known: readonly string[]): string | undefined {
  if (OF_THE_SYSTEM.includes(name)) return undefined;
  const alias = ALIASES[name.toUpperCase()];
  if (alias !== undefined) return alias;
  const near = known.find((one) => distance(name.toUpperCase(), one) <= (one.length >= LONG_NAME_LENGTH ? 2 : 1));
  return near ?? (seemsToBeOfAccess(name) ? 'JWT_JWKS_URL or JWT_PUBLIC_KEY' : undefined);
}
