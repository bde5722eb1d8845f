import { OPERATION_TIMEOUT_MS } from '../../core/domain/limits';
import { SILENT_LOGGER, type Database } from './database';
import { sqlMigrations } from './sql-migrations';

const CONNECT_TIMEOUT_MS = 2000;
/** A lock is given up while the operation still has time to say so. */
const LOCK_TIMEOUT_MS = 4000;
/** The server's own word comes first; this one is for a server that says nothing any more. */
const SILENCE_TIMEOUT_MS = OPERATION_TIMEOUT_MS + 500;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;

export interface ServerSettings {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly poolSize: number;
}

export function serverDatabase({ url, poolSize }: ServerSettings): Database {
  const common = {
    type: 'postgres',
    url,
    applicationName: 'dossier',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    logger: SILENT_LOGGER,
  } as const;
  return {
    serving: {
      ...common,
      poolSize,
      extra: {
        keepAlive: true,
        statement_timeout: OPERATION_TIMEOUT_MS,
        lock_timeout: LOCK_TIMEOUT_MS,
        query_timeout: SILENCE_TIMEOUT_MS,
        idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      },
    },
    migrating: {
      ...common,
      poolSize: 1,
      migrations: sqlMigrations(),
      extra: { keepAlive: true, statement_timeout: 0, lock_timeout: 0 },
    },
    close: () => Promise.resolve(),
  };
}
