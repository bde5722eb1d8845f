import { Client } from 'pg';
import { PING_TIMEOUT_MS } from '../../core/domain/limits';
import { storeErrorOf } from './postgres-error';

/**
 * Asks the server whether it answers, in a session of its own: those of the pool may all be at work for long, and an
 * answer that comes too late costs the session.
 */
export class PingSession {
  private client?: Client;

  /** `url` is that of the server. */
  constructor(private readonly url: string) {}

  /** Not to be called again before it has ended, within `PING_TIMEOUT_MS`. Throws `StoreError`. */
  async ping(): Promise<void> {
    try {
      if (this.client) await this.client.query('SELECT 1');
      // The server has answered already when a session begins.
      else await this.connect();
    } catch (error) {
      void this.close();
      throw storeErrorOf(error);
    }
  }

  async close(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'dossier ping',
      connectionTimeoutMillis: PING_TIMEOUT_MS,
      query_timeout: PING_TIMEOUT_MS,
    });
    this.client = client;
    // Without a listener it would end the process.
    client.on('error', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
  }
}
