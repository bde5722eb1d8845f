import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions';

/** A PostgreSQL database, on a server or embedded in this process. */
export interface Database {
  /** For the service's own statements: each is bounded in time. */
  readonly serving: PostgresDataSourceOptions;
  /** One session without time limits: migrations wait for each other, and rewrite tables. */
  readonly migrating: PostgresDataSourceOptions;
  /** To be called when every connection is closed. */
  close(): Promise<void>;
}

/** TypeORM's default logger writes to the console in a format of its own; this one only where DEBUG asks for it. */
export const SILENT_LOGGER = 'debug';
