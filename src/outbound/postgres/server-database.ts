import type { ClientBase } from 'pg';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import { SILENCE_TIMEOUT_MS, SILENT_LOGGER, type Database } from './database';
import { isAnswer } from './postgres-error';

const CONNECT_TIMEOUT_MS = 2000;
/** Shorter than the time limit of any call: the server reports a lock that others hold before the call gives up. */
const LOCK_TIMEOUT_MS = 2000;
const KEEP_ALIVE_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** How soon the server cancels the statement of a client that has gone: a call that timed out must not hold locks. */
const CONNECTION_CHECK_MS = 500;

export interface ServerSettings {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly poolSize: number;
}

export function serverDatabase({ url, poolSize }: ServerSettings): Database {
  const common = {
    type: 'postgres',
    applicationName: 'dossier',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    logger: SILENT_LOGGER,
  } as const;
  return {
    serving: {
      ...common,
      poolSize,
      extra: {
        connectionString: url,
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
      // Nothing is sent while another replica's migrations run: only keep-alive shows that the server has gone.
      extra: {
        connectionString: url,
        keepAlive: true,
        keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
        statement_timeout: 0,
        lock_timeout: 0,
      },
    },
    serverUrl: url,
    isInterruptible: true,
    close: () => Promise.resolve(),
  };
}

/** A server may lack the setting, depending on its version and its operating system. */
async function checkConnection(session: ClientBase): Promise<void> {
  try {
    await session.query(`SET client_connection_check_interval = ${CONNECTION_CHECK_MS}`);
  } catch (error) {
    if (!isAnswer(error)) throw error;
  }
}
