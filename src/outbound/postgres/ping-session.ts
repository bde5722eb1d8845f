import type { QueryConfig, QueryResult } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { OwnSession } from './own-session';
import { storeErrorOf } from './postgres-error';

/** In the same words in which all sessions ask. */
const STARTED_AT =
  "SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SELECT pg_postmaster_start_time()::text AS started_at";

/**
 * Checks in a session of its own whether the server responds. The sessions of the pool may all be at work for long, and
 * a response that comes too late costs the session.
 */
export class PingSession {
  private readonly session: OwnSession;

  /** `url` is that of the server. */
  constructor(url: string) {
    this.session = new OwnSession(url, { application_name: 'dossier ping' });
  }

  /**
   * Not to be called again until it has ended, within `timeoutMs`. Throws `StoreError`, also if the server has been
   * started at a time at which the one in use was not: no call reaches it yet.
   */
  async ping(timeoutMs: number, isInUse: (startedAt: string) => boolean): Promise<void> {
    try {
      const endsAtMs = performance.now() + timeoutMs;
      const client = this.session.current ?? (await this.session.open(timeoutMs));
      const query = { text: STARTED_AT, query_timeout: Math.max(endsAtMs - performance.now(), 1) } as QueryConfig;
      // The client returns one result for each of several statements, which its types do not know.
      const results = (await client.query(query)) as unknown as QueryResult<{ started_at: string }>[];
      if (!isInUse(results.at(-1)?.rows[0]?.started_at ?? '')) throw new StoreError('postgres', 'unavailable');
    } catch (error) {
      void this.session.close();
      throw storeErrorOf(error);
    }
  }

  close(): Promise<void> {
    return this.session.close();
  }
}
