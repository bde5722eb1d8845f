import type { QueryConfig } from 'pg';
import { OwnSession } from './own-session';
import { storeErrorOf } from './postgres-error';

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

  /** Not to be called again until it has ended, within `timeoutMs`. Throws `StoreError`. */
  async ping(timeoutMs: number): Promise<void> {
    try {
      const client = this.session.current;
      if (client) await client.query({ text: 'SELECT 1', query_timeout: timeoutMs } as QueryConfig);
      // A new session needs no query: the server has responded when it is open.
      else await this.session.open(timeoutMs);
    } catch (error) {
      void this.session.close();
      throw storeErrorOf(error);
    }
  }

  close(): Promise<void> {
    return this.session.close();
  }
}
