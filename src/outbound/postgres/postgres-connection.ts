import { setTimeout as sleep } from 'node:timers/promises';
import type { OnApplicationShutdown } from '@nestjs/common';
import { FairQueue } from '../system/fair-queue';
import { lateTimer } from '../system/late-timer';
import { StoreError } from '../../core/ports/store-error';
import { TRACING_OFF, type Tracing } from '../../core/ports/tracing';
import { AdmittedServer } from './admitted-server';
import { SILENCE_TIMEOUT_MS, type Database } from './database';
import { demandMigrated, runMigrations } from './migrate';
import { PingSession } from './ping-session';
import { inTransaction, type PooledSession, type Query } from './pooled-session';
import { RefusedStatements } from './refused-statements';
import { Repetitions } from './repetitions';
import { ServerAnswers } from './server-answers';
import { SessionPool } from './session-pool';
import { SqlSpans } from './sql-spans';

/**
 * Of all organisations together. Behind so many calls, sessions that serve a thousand calls a second would be free too
 * late for any caller.
 */
const MAX_WAITING = 2000;
/** How long a call waits for a session that others use: longer than the server lets any of them wait for a lock. */
const MAX_WAIT_MS = 2000;
/**
 * A call of an organisation that may not wait is refused after this time, which is about what a call waits in a long
 * queue. If it were refused at once, the caller's next call would come at once, and refusals would take the time of the
 * calls of others.
 */
const REFUSAL_DELAY_MS = 1000;
/** The owner of what is done on behalf of no single organisation. */
export const NO_ORGANIZATION = '';

/** How a call uses a session. */
interface Use {
  readonly timeoutMs?: number;
  readonly owner?: string;
  readonly mayReachAny?: boolean;
  /** It changes nothing. */
  readonly isRead?: boolean;
}

/**
 * Runs the calls of the stores in sessions that they share. It connects on the first call, so the server may be
 * unavailable when the replica starts, and at any time later. Owners, which are organisations, share the sessions
 * fairly, and the room to wait for one. A call that waits in vain while the server serves others, or may not wait, has
 * met no outage: `StoreError` `busy`. A call that the server rolls back for the sake of another one is repeated.
 */
export class PostgresConnection implements OnApplicationShutdown {
  readonly name = 'postgres';
  private readonly pool: SessionPool;
  private readonly answers = new ServerAnswers();
  private readonly pings?: PingSession;
  private places?: FairQueue;
  private waiting = 0;
  private readonly admitted = new AdmittedServer();
  private readonly refused = new RefusedStatements();
  private readonly spans?: SqlSpans;
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly database: Database,
    tracing: Tracing = TRACING_OFF,
  ) {
    if (tracing.isOn) this.spans = new SqlSpans(tracing, database);
    this.pool = new SessionPool(database.serving);
    if (database.server) this.pings = new PingSession(database.server.url, database.server.fellows);
  }

  /** Of the pool: how many sessions it may have, how many calls use one, and how many wait for one. */
  get sessions(): { readonly size: number; readonly inUse: number; readonly waiting: number } {
    return { ...this.pool.counts, waiting: this.waiting };
  }

  get isEmbedded(): boolean {
    return this.database.server === undefined;
  }

  /** False while an embedded database is being started again. */
  get isRunning(): boolean {
    return this.database.isRunning();
  }

  /**
   * Brings the schema up to date, in a session of its own; returns the names of the migrations that this took. If the
   * schema may not be changed, throws `UnfitSchemaError` unless it is up to date. `onWait` is told of another one.
   */
  async migrate(mayChange: boolean, onWait?: () => void): Promise<readonly string[]> {
    await this.database.check();
    if (mayChange) return runMigrations(this.database, onWait);
    await demandMigrated(this.database);
    return [];
  }

  /** Until `admit`, every call finds the server unavailable, unless it may reach any server. */
  refuse(): void {
    this.admitted.admit(undefined);
  }

  /** From now on calls reach only this run of a server. At first they reach any; embedded there is no other one. */
  admit(run: string): void {
    if (this.isEmbedded) this.admitted.admitAny();
    else this.admitted.admit(run);
  }

  /** Whether calls reach this run of a server. */
  admits(run: string): boolean {
    return this.admitted.includes(run);
  }

  /** A server that responds is of no use to calls if it refuses their sessions: it may have too many connections. */
  async ping(timeoutMs: number): Promise<void> {
    const endsAtMs = performance.now() + timeoutMs;
    const isInUse = (startedAt: string) => this.admitted.includesRunSince(startedAt);
    if (!this.admitted.isNone) await this.pings?.ping(timeoutMs, isInUse);
    if (this.admitted.isNone) throw new StoreError('postgres', 'unavailable');
    if (this.pool.isRefused) await this.query('SELECT 1', [], Math.max(endsAtMs - performance.now(), 1));
  }

  /** Why calls that write may fail although the server answers; undefined as far as calls have met no such reason. */
  unfitness(): Promise<string | undefined> {
    return Promise.resolve(this.refused.reason);
  }

  /** Takes no longer than `timeoutMs`, the wait for a session included. */
  query<Row>(text: string, values?: readonly unknown[], timeoutMs?: number, owner?: string): Promise<Row[]> {
    return this.withSession((query) => query<Row>(text, values), { timeoutMs, owner, isRead: true });
  }

  /** The same for a statement that may record events: listeners are told once it is committed. */
  async change<Row>(text: string, values?: readonly unknown[], timeoutMs?: number, owner?: string): Promise<Row[]> {
    const rows = await this.withSession((query) => query<Row>(text, values), { timeoutMs, owner });
    this.tellOfChange();
    return rows;
  }

  /** Calls `listener` after each `change` and `transaction` that has succeeded. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The same on whichever server is there. */
  queryAnyServer<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.withSession((query) => query<Row>(text, values), { mayReachAny: true });
  }

  /**
   * Commits when `work` resolves, rolls back when it rejects. Takes no longer than `timeoutMs` in all. After a rollback
   * `work` may be called again.
   */
  async transaction<T>(work: (query: Query) => Promise<T>, timeoutMs?: number, owner?: string): Promise<T> {
    const result = await this.withSession((query) => inTransaction(query, work), { timeoutMs, owner });
    this.tellOfChange();
    return result;
  }

  /** For a call that was not begun in time, and came at `sinceMs`: why it fails. */
  waitedInVain(sinceMs: number): StoreError {
    return this.answers.waitedInVain(sinceMs);
  }

  async close(): Promise<void> {
    await this.pings?.close();
    await this.pool.close();
    await this.database.close();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private tellOfChange(): void {
    for (const listener of this.listeners) listener();
  }

  private async withSession<T>(
    work: (query: Query) => Promise<T>,
    { timeoutMs = SILENCE_TIMEOUT_MS, owner = NO_ORGANIZATION, mayReachAny = false, isRead = false }: Use,
  ): Promise<T> {
    if (this.admitted.isNone && !mayReachAny) throw new StoreError('postgres', 'unavailable');
    const startedAtMs = performance.now();
    /** Since when the server works for the call; never, while it waits for a place. */
    let begunAtMs = startedAtMs;
    let session: PooledSession | undefined;
    let timeout: StoreError | undefined;
    let cancel: (() => void) | undefined;
    const silence = new Promise<never>((_, reject) => {
      cancel = lateTimer(timeoutMs, () => {
        timeout = this.answers.lateSince(begunAtMs, startedAtMs, organizationOf(owner), isRead);
        if (this.database.isInterruptible) session?.abandon(timeout);
        reject(timeout);
      });
    });
    const repetitions = new Repetitions();
    const run = async (): Promise<T> => {
      begunAtMs = performance.now();
      session = await this.pool.connect();
      try {
        // The caller has stopped waiting: what was not begun must not take effect.
        if (timeout) throw timeout;
        return await this.workIn(session, work, owner, mayReachAny);
      } catch (error) {
        if (!repetitions.allowAfter(error, this.pool.maxSessions)) throw error;
      } finally {
        session.release();
      }
      return run();
    };
    const runInTurn = async (): Promise<T> => {
      await this.pool.open();
      begunAtMs = Infinity;
      return this.place(owner).then((leave) => run().finally(leave));
    };
    return Promise.race([runInTurn(), silence]).finally(() => cancel?.());
  }

  private async workIn<T>(
    session: PooledSession,
    work: (query: Query) => Promise<T>,
    owner: string,
    mayReachAny: boolean,
  ): Promise<T> {
    const query = this.refused.around(this.spans?.around(session.query) ?? session.query);
    if (mayReachAny) return this.answers.noting(work(query));
    await this.admitted.demand(session);
    const result = await this.answers.noting(work(query), organizationOf(owner));
    this.admitted.confirm(session);
    return result;
  }

  /** Resolves with the function that gives it back. */
  private async place(owner: string): Promise<() => void> {
    this.places ??= new FairQueue(this.pool.maxSessions, MAX_WAITING, { part: 1 / 4, ofAll: NO_ORGANIZATION });
    // The puts of all organisations share statements of none: no share bounds these.
    if (owner !== NO_ORGANIZATION && !this.places.isOpenTo(owner)) {
      await sleep(REFUSAL_DELAY_MS);
      throw new StoreError('postgres', 'busy');
    }
    if (this.waiting >= MAX_WAITING) throw new StoreError('postgres', 'busy');
    this.waiting += 1;
    const startedAtMs = performance.now();
    const leave = await this.places.enter(owner, MAX_WAIT_MS).finally(() => (this.waiting -= 1));
    if (!leave) throw this.answers.waitedInVain(startedAtMs);
    return leave;
  }
}

function organizationOf(owner: string): string | undefined {
  return owner === NO_ORGANIZATION ? undefined : owner;
}
