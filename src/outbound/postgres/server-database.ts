import type { ClientBase } from 'pg';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import { LOCK_TIMEOUT_MS, SILENT_LOGGER, type Database } from './database';
import { demandOwnSessions } from './demand-own-sessions';
import type { FellowReplicas } from './fellow-replicas';
import { NO_LIMITS, prepareSession, type SessionLimits } from './session-settings';
import { withoutStartUpParameters } from './start-up-parameters';

const CONNECT_TIMEOUT_MS = 2000;
/**
 * Every call has a shorter limit of its own. This one is left for what no call waits for, the opening of a session; it
 * is so long because the client believes a timer at once that is late, after a stop of the process.
 */
const OPENING_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
const SERVING_LIMITS: SessionLimits = {
  statement_timeout: OPERATION_TIMEOUT_MS,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: 10_000,
  idle_session_timeout: 0,
};

export interface ServerSettings {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  /** Past a pooler that `url` names. */
  readonly directUrl?: string;
  readonly poolSize: number;
  readonly fellows?: FellowReplicas;
}

export function serverDatabase({ url, directUrl = url, poolSize, fellows }: ServerSettings): Database {
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
        ...connectionTo(url, SERVING_LIMITS),
        query_timeout: OPENING_TIMEOUT_MS,
      },
    },
    migrating: {
      ...common,
      poolSize: 1,
      // Nothing is sent while another replica's migrations run: only keep-alive shows that the server has gone.
      extra: { ...connectionTo(directUrl, NO_LIMITS), keepAliveInitialDelayMillis: KEEP_ALIVE_MS },
    },
    server: { url, directUrl, fellows },
    isInterruptible: true,
    isRunning: () => true,
    check: () => demandOwnSessions(url, directUrl),
    close: () => Promise.resolve(),
  };
}

/** Not as TypeORM's `url`, which TypeORM would take apart by itself, and differently from the client. */
function connectionTo(url: string, limits: SessionLimits) {
  const { connectionString, settings } = withoutStartUpParameters(url);
  const onConnect = (session: ClientBase) => prepareSession(session, limits, settings);
  return { connectionString, keepAlive: true, onConnect };
}
