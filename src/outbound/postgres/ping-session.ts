import { Client, type QueryConfig } from 'pg';
import { storeErrorOf } from './postgres-error';

/**
 * Asks the server whether it answers, in a session of its own: those of the pool may all be at work for long, and an
 * answer that comes too late costs the session.
 */
export class PingSession {
  private client?: Client;

  /** `url` is that of the server. */
  constructor(private readonly url: string) {}

  /** Not to be called again before it has ended, within `timeoutMs`. Throws `StoreError`. */
  async ping(timeoutMs: number): Promise<void> {
    try {
      if (this.client) await this.client.query({ text: 'SELECT 1', query_timeout: timeoutMs } as QueryConfig);
      // The server has answered already when a session begins.
      else await this.connect(timeoutMs);
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

  private async connect(timeoutMs: number): Promise<void> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'dossier ping',
      connectionTimeoutMillis: timeoutMs,
    });
    this.client = client;
    // Without a listener it would end the process.
    client.on('error', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
  }
}
