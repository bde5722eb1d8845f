import type { ClientBase } from 'pg';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import { SILENT_LOGGER, type Database } from './database';
import { NO_LIMITS, prepareSession, type SessionLimits } from './session-settings';

const CONNECT_TIMEOUT_MS = 2000;
/**
 * Every call has a shorter limit of its own. This one is left for what no call waits for, the opening of a session; it is
 * so long because the client believes a timer at once that is late, after a stop of the process.
 */
const OPENING_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
const SERVING_LIMITS: SessionLimits = {
  statement_timeout: OPERATION_TIMEOUT_MS,
  // Shorter than the time limit of any call: the server reports a lock that others hold before the call gives up.
  lock_timeout: 2000,
  idle_in_transaction_session_timeout: 10_000,
  idle_session_timeout: 0,
};

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
  // Not as TypeORM's `url`, which TypeORM would take apart by itself, and differently from the client.
  const connection = { connectionString: url, keepAlive: true };
  return {
    serving: {
      ...common,
      poolSize,
      extra: {
        ...connection,
        query_timeout: OPENING_TIMEOUT_MS,
        onConnect: (session: ClientBase) => prepareSession(session, SERVING_LIMITS),
      },
    },
    migrating: {
      ...common,
      poolSize: 1,
      // Nothing is sent while another replica's migrations run: only keep-alive shows that the server has gone.
      extra: {
        ...connection,
        keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
        onConnect: (session: ClientBase) => prepareSession(session, NO_LIMITS),
      },
    },
    serverUrl: url,
    isInterruptible: true,
    close: () => Promise.resolve(),
  };
}
