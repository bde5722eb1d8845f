import type { OnApplicationShutdown } from '@nestjs/common';
import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver';
import { StoreError } from '../../core/ports/store-error';
import { AdmittedServer, OtherServerError } from './admitted-server';
import { SILENCE_TIMEOUT_MS, type Database } from './database';
import { runMigrations } from './migrate';
import { PingSession } from './ping-session';
import { PooledSession, type Query } from './pooled-session';
import { isStale, storeErrorOf } from './postgres-error';

/** Behind so many calls, sessions that serve a thousand calls a second would be free too late for any caller. */
const MAX_WAITING = 2000;
/** The pool's message to a call that waited too long, for a session in use or for a new one from the server. */
const NO_SESSION_IN_TIME = 'timeout exceeded when trying to connect';

/**
 * The pool of sessions that the stores share. It connects on the first call, so the server may be unavailable when the
 * replica starts, and at any time later. A call that finds too many others waiting for a session is refused at once.
 */
export class PostgresConnection implements OnApplicationShutdown {
  readonly name = 'postgres';
  private readonly dataSource: DataSource;
  private readonly statementNames = new Map<string, string>();
  private initializing?: Promise<unknown>;
  private readonly pings?: PingSession;
  private waiting = 0;
  private inUse = 0;
  private readonly admitted = new AdmittedServer();

  constructor(private readonly database: Database) {
    this.dataSource = new DataSource(database.serving);
    if (database.serverUrl !== undefined) this.pings = new PingSession(database.serverUrl);
  }

  get isEmbedded(): boolean {
    return this.database.serverUrl === undefined;
  }

  /** Brings the schema up to date, in a session of its own; returns the names of the migrations that this took. */
  migrate(): Promise<readonly string[]> {
    return runMigrations(this.database);
  }

  /** Until `admit`, every call finds the server unavailable, unless it may reach any server. */
  refuse(): void {
    this.admitted.admit(undefined);
  }

  /** From now on calls reach only this run of a server. At first they reach any. */
  admit(run: string): void {
    this.admitted.admit(run);
  }

  /** Whether calls reach this run of a server. */
  admits(run: string): boolean {
    return this.admitted.includes(run);
  }

  async ping(timeoutMs: number): Promise<void> {
    const isInUse = (startedAt: string) => this.admitted.includesRunSince(startedAt);
    if (!this.admitted.isNone) await this.pings?.ping(timeoutMs, isInUse);
    if (this.admitted.isNone) throw new StoreError('postgres', 'unavailable');
  }

  /** Takes no longer than `timeoutMs`, the wait for a session included. */
  query<Row>(text: string, values?: readonly unknown[], timeoutMs?: number): Promise<Row[]> {
    return this.withSession((query) => query<Row>(text, values), timeoutMs);
  }

  /** The same on whichever server is there. */
  queryAnyServer<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.withSession((query) => query<Row>(text, values), SILENCE_TIMEOUT_MS, true);
  }

  /**
   * Commits when `work` resolves, rolls back when it rejects. Takes no longer than `timeoutMs` in all. After a rollback
   * `work` may be called again.
   */
  transaction<T>(work: (query: Query) => Promise<T>, timeoutMs?: number): Promise<T> {
    return this.withSession(async (query) => {
      await query('BEGIN');
      try {
        const result = await work(query);
        await query('COMMIT');
        return result;
      } catch (error) {
        await query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    }, timeoutMs);
  }

  async close(): Promise<void> {
    await this.initializing?.catch(() => undefined);
    await this.pings?.close();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.database.close();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private async withSession<T>(
    work: (query: Query) => Promise<T>,
    timeoutMs: number = SILENCE_TIMEOUT_MS,
    mayReachAny = false,
  ): Promise<T> {
    if (this.admitted.isNone && !mayReachAny) throw new StoreError('postgres', 'unavailable');
    let session: PooledSession | undefined;
    let timeout: StoreError | undefined;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        timeout = new StoreError('postgres', 'timeout');
        if (this.database.isInterruptible) session?.abandon(timeout);
        reject(timeout);
      }, timeoutMs);
    });
    const run = async (staleSessions = 0): Promise<T> => {
      session = await this.connect();
      try {
        // The caller has stopped waiting: what was not begun must not take effect.
        if (timeout) throw timeout;
        if (mayReachAny) return await work(session.query);
        await this.admitted.demand(session);
        const result = await work(session.query);
        this.admitted.confirm(session);
        return result;
      } catch (error) {
        // Nothing took effect, and the session is given up: after all the others, a new one is the next.
        const mayOtherDo = isStale(error) || error instanceof OtherServerError;
        if (!mayOtherDo || staleSessions >= this.pool.options.max) throw error;
      } finally {
        session.release();
      }
      return run(staleSessions + 1);
    };
    return Promise.race([run(), silence]).finally(() => clearTimeout(timer));
  }

  private async connect(): Promise<PooledSession> {
    if (this.waiting >= MAX_WAITING) throw new StoreError('postgres', 'unavailable');
    this.waiting += 1;
    try {
      if (!this.dataSource.isInitialized) {
        this.initializing ??= this.dataSource.initialize().finally(() => (this.initializing = undefined));
        await this.initializing;
      }
      const client = await this.pool.connect();
      this.inUse += 1;
      return new PooledSession(
        client,
        (text) => this.statementName(text),
        () => (this.inUse -= 1),
      );
    } catch (error) {
      throw this.isBusy(error) ? new StoreError('postgres', 'timeout', { cause: error }) : storeErrorOf(error);
    } finally {
      this.waiting -= 1;
    }
  }

  private get pool(): Pool {
    return (this.dataSource.driver as PostgresDriver).master as Pool;
  }

  /** Whether all sessions were in use, so that the wait was not for the server to open a new one. */
  private isBusy(error: unknown): boolean {
    return error instanceof Error && error.message === NO_SESSION_IN_TIME && this.inUse >= this.pool.totalCount;
  }

  private statementName(text: string): string {
    const name = this.statementNames.get(text) ?? `s${this.statementNames.size}`;
    this.statementNames.set(text, name);
    return name;
  }
}
