import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';

/** The server's own word comes first; this one is for a server that says nothing any more. */
export const SILENCE_TIMEOUT_MS = OPERATION_TIMEOUT_MS + 500;

/** A PostgreSQL database, on a server or embedded in this process. */
export interface Database {
  /** For the service's own statements: each is bounded in time. */
  readonly serving: PostgresDataSourceOptions;
  /** One session without time limits: migrations wait for each other, and rewrite tables. */
  readonly migrating: PostgresDataSourceOptions;
  /** Undefined where it is embedded. */
  readonly serverUrl?: string;
  /** Whether a statement can be given up by closing its session; otherwise it runs to its end, unheard. */
  readonly isInterruptible: boolean;
  /** To be called when every connection is closed. */
  close(): Promise<void>;
}

/** TypeORM's default logger writes to the console in a format of its own; this one only where DEBUG asks for it. */
export const SILENT_LOGGER = 'debug';
