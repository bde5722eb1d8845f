import type { ClientBase } from 'pg';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import { SILENCE_TIMEOUT_MS, SILENT_LOGGER, type Database } from './database';
import { isAnswer } from './postgres-error';
import { sqlMigrations } from './sql-migrations';

const CONNECT_TIMEOUT_MS = 2000;
/** Less than any call waits for an answer: that others hold a lock is the server's word, not its silence. */
const LOCK_TIMEOUT_MS = 2000;
const KEEP_ALIVE_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** How soon the server cancels what it does for somebody who has gone: what timed out must not hold locks. */
const CONNECTION_CHECK_MS = 500;

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
        onConnect: checkConnection,
      },
    },
    migrating: {
      ...common,
      poolSize: 1,
      migrations: sqlMigrations(),
      // Waiting for another replica's migrations sends nothing: only the system can tell that the server has gone.
      extra: { keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE_MS, statement_timeout: 0, lock_timeout: 0 },
    },
    serverUrl: url,
    isInterruptible: true,
    close: () => Promise.resolve(),
  };
}

/** Not every server can: it depends on its version and its system. */
async function checkConnection(session: ClientBase): Promise<void> {
  try {
    await session.query(`SET client_connection_check_interval = ${CONNECTION_CHECK_MS}`);
  } catch (error) {
    if (!isAnswer(error)) throw error;
  }
}
