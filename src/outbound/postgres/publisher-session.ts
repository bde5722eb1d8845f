import type { OnApplicationShutdown } from '@nestjs/common';
import { Client } from 'pg';
import type { Query } from './pooled-session';
import { storeErrorOf } from './postgres-error';

/** Any number that no other user of the database's advisory locks has taken. */
const PUBLISHER_LOCK = '7234017283807667301';
const TRY_LOCK = `SELECT pg_try_advisory_lock(${PUBLISHER_LOCK}) AS locked`;
const UNLOCK = `SELECT pg_advisory_unlock(${PUBLISHER_LOCK})`;
const CONNECT_TIMEOUT_MS = 2000;
const QUERY_TIMEOUT_MS = 2500;

/** A publisher looks for events all the time: one that is silent for so long is dead, cut off, or as good as dead. */
const SILENCE_TIMEOUT_MS = 3000;
const SETTINGS = `
  SET idle_session_timeout = ${SILENCE_TIMEOUT_MS};
  SET tcp_user_timeout = ${SILENCE_TIMEOUT_MS};
  SET statement_timeout = ${QUERY_TIMEOUT_MS - 500}`;

/** The session of the one replica that publishes: it holds an advisory lock for as long as the session lives. */
export class PublisherSession implements OnApplicationShutdown {
  private client?: Client;
  private isLeader = false;

  /** `url` is that of the server. */
  constructor(private readonly url: string) {}

  /** Runs the work in the session that holds the lock; undefined where another replica holds it. Throws `StoreError`. */
  async lead<T>(work: (query: Query) => Promise<T>): Promise<T | undefined> {
    try {
      const client = (this.client ??= await this.connect());
      this.isLeader ||= await tryLock(client);
      if (!this.isLeader) return undefined;
      return await work(async (text, values) => {
        const { rows } = await client.query({ text, values: values as unknown[] });
        return rows as never[];
      });
    } catch (error) {
      // A session in doubt is given up, and the lock with it: whoever is fit to publish shall have it.
      void this.close();
      throw storeErrorOf(error);
    }
  }

  /** Lets another replica have the lock. */
  async standDown(): Promise<void> {
    if (!this.isLeader) return;
    this.isLeader = false;
    await this.client?.query(UNLOCK).catch(() => void this.close());
  }

  async close(): Promise<void> {
    const { client } = this;
    this.forget();
    await client?.end().catch(() => undefined);
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'dossier publisher',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    // Without a listener it would end the process.
    client.on('error', () => this.client === client && this.forget());
    try {
      await client.connect();
      await client.query(SETTINGS);
      return client;
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
  }

  private forget(): void {
    this.client = undefined;
    this.isLeader = false;
  }
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(TRY_LOCK);
  return rows[0]?.locked === true;
}
