import type { PoolClient } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { OutdatedSessionError, type PooledSession } from './pooled-session';
import { isStale } from './postgres-error';

/** What `runName` takes. */
export const RUN_COLUMNS = 'present_server() AS server, pg_postmaster_start_time()::text AS run';
const ASK = `SELECT ${RUN_COLUMNS}`;

export interface RunRow {
  /** Null if the server does not tell. */
  readonly server: string | null;
  readonly run: string;
}

/** Names a run of a server, from its start to its end. */
export function runName({ server, run }: RunRow): string {
  return `${server ?? ''} ${run}`;
}

/** The session leads to a server that is not the one in use; another session may lead there. */
export class OtherServerError extends StoreError {
  constructor() {
    super('postgres', 'unavailable', { cause: new Error('the session leads to a server that is not in use') });
  }
}

/** Whether a call that failed took no effect in its session, and may succeed in another one. */
export function mayOtherSessionServe(error: unknown): boolean {
  return isStale(error) || error instanceof OtherServerError || error instanceof OutdatedSessionError;
}

/** The one run of a server to which the sessions of a pool may lead. Until one is named, it may be any. */
export class AdmittedServer {
  private admitted: { readonly run: string } | 'any' | 'none' = 'any';
  private readonly runs = new WeakMap<PoolClient, string>();

  get isNone(): boolean {
    return this.admitted === 'none';
  }

  admit(run: string | undefined): void {
    this.admitted = run === undefined ? 'none' : { run };
  }

  admitAny(): void {
    this.admitted = 'any';
  }

  /** The same of a run of which only the beginning is known. */
  includesRunSince(startedAt: string): boolean {
    if (typeof this.admitted === 'string') return this.admitted === 'any';
    return this.admitted.run.endsWith(` ${startedAt}`);
  }

  includes(run: string): boolean {
    if (this.admitted === 'any') return true;
    return this.admitted !== 'none' && this.admitted.run === run;
  }

  /** A session is asked where it leads before its first use. Throws `StoreError` if it leads elsewhere. */
  async demand(session: PooledSession): Promise<void> {
    if (this.admitted === 'any') return;
    if (this.isNone) throw new StoreError('postgres', 'unavailable');
    const known = this.runs.get(session.client);
    const run = known ?? (await this.ask(session));
    if (this.includes(run)) return;
    throw session.abandonFor(known ? new OtherServerError() : new StoreError('postgres', 'unavailable'));
  }

  /** A reply that comes after the server has been replaced tells nothing of the present one. Throws `StoreError`. */
  confirm({ client }: PooledSession): void {
    const run = this.runs.get(client);
    if (run !== undefined && !this.includes(run)) throw new StoreError('postgres', 'timeout');
  }

  private async ask(session: PooledSession): Promise<string> {
    const [row] = (await session.query<RunRow>(ASK)) as [RunRow];
    const run = runName(row);
    this.runs.set(session.client, run);
    return run;
  }
}
