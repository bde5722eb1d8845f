import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions';
import { OPERATION_TIMEOUT_MS } from '../../core/ports/time-limits';
import type { FellowReplicas } from './fellow-replicas';

/** Longer than the server's own limits: only a server that has fallen silent runs into it. */
export const SILENCE_TIMEOUT_MS = OPERATION_TIMEOUT_MS + 500;
/**
 * How long the server lets a statement wait for a lock. With the longest wait for a session, shorter than the time that
 * a call leaves the store: the server reports a lock that others hold before the call gives up.
 */
export const LOCK_TIMEOUT_MS = 1500;

export interface ServerUrls {
  /** For calls: that of the server, or of a pooler in front of it. */
  readonly url: string;
  /** For what holds a lock as long as its session lives. */
  readonly directUrl: string;
  /** Compared with this process if it serves. */
  readonly fellows?: FellowReplicas;
}

/** A PostgreSQL database, on a server or embedded in this process. */
export interface Database {
  /** For the service's own statements: each has a time limit. */
  readonly serving: PostgresDataSourceOptions;
  /** One session without time limits: migrations wait for each other, and rewrite tables. */
  readonly migrating: PostgresDataSourceOptions;
  /** Undefined if it is embedded. */
  readonly server?: ServerUrls;
  /** Whether closing its session stops a statement. Otherwise it runs to its end, and its result is dropped. */
  readonly isInterruptible: boolean;
  /** False while an embedded database that has ended is being started again. A server has to be asked instead. */
  isRunning(): boolean;
  /** Makes sure that its sessions do what the service relies on. Writes nothing. Throws `StoreError`. */
  check(): Promise<void>;
  /** To be called after every connection has been closed. */
  close(): Promise<void>;
}

/** TypeORM's default logger writes to the console in a format of its own; this one writes only if DEBUG is set. */
export const SILENT_LOGGER = 'debug';
