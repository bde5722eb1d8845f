import type { Client, QueryConfig, QueryResult } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { demandOwnSessions } from './demand-own-sessions';
import type { FellowReplicas } from './fellow-replicas';
import { OwnSession } from './own-session';
import { storeErrorOf } from './postgres-error';

/** In the same words in which all sessions ask. */
const STARTED_AT =
  "SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; " +
  'SELECT pg_postmaster_start_time()::text AS started_at, pg_backend_pid() AS pid';

interface Pong {
  readonly started_at: string;
  readonly pid: number;
}

/**
 * Checks in a session of its own whether the server responds. The sessions of the pool may all be at work for long, and
 * a response that comes too late costs the session.
 */
export class PingSession {
  private readonly session: OwnSession;
  /** The process of the server that served the client first. */
  private first?: { readonly client: Client; readonly pid: number };
  private isShared = false;

  /** `url` is that of the server. */
  constructor(
    private readonly url: string,
    private readonly fellows?: FellowReplicas,
  ) {
    this.session = new OwnSession(url, { application_name: fellows?.sessionName ?? 'dossier ping' });
  }

  /**
   * Not to be called again until it has ended, within `timeoutMs` as long as no session was found to be shared. Throws
   * `StoreError`, also if the server has been started at a time at which the one in use was not: no call reaches it
   * yet. Also throws if a pooler has begun to take sessions away after each transaction, until it is found to have
   * ended.
   */
  async ping(timeoutMs: number, isInUse: (startedAt: string) => boolean): Promise<void> {
    try {
      if (this.isShared) await this.demandOwn();
      const endsAtMs = performance.now() + timeoutMs;
      const client = this.session.current ?? (await this.session.open(timeoutMs));
      const query = { text: STARTED_AT, query_timeout: Math.max(endsAtMs - performance.now(), 1) } as QueryConfig;
      // The client returns one result for each of several statements, which its types do not know.
      const results = (await client.query(query)) as unknown as QueryResult<Pong>[];
      const { started_at: startedAt, pid } = results.at(-1)?.rows[0] as Pong;
      if (!isInUse(startedAt)) throw new StoreError('postgres', 'unavailable');
      if (this.first?.client !== client) {
        this.first = { client, pid };
        // A server that does not show its other sessions responds all the same.
        void this.fellows?.compare(client).catch(() => undefined);
      }
      if (this.first.pid !== pid) await this.demandOwn();
    } catch (error) {
      void this.session.close();
      throw storeErrorOf(error);
    }
  }

  close(): Promise<void> {
    return this.session.close();
  }

  private async demandOwn(): Promise<void> {
    this.isShared = true;
    await demandOwnSessions(this.url, this.url);
    this.isShared = false;
  }
}
