import type { OnApplicationShutdown } from '@nestjs/common';
import type { Client } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { RUN_COLUMNS, runName, type RunRow } from './admitted-server';
import { OwnSession } from './own-session';
import type { Query } from './pooled-session';
import { storeErrorOf } from './postgres-error';
import { prepareSession, type SessionLimits } from './session-settings';
import { StatementNames } from './statement-names';
import { withoutStartUpParameters } from './start-up-parameters';

/** Any number that no other user of the database's advisory locks has taken. */
export const PUBLISHER_LOCK = '7234017283807667301';
const TRY_LOCK = `SELECT pg_try_advisory_lock(${PUBLISHER_LOCK}) AS locked, ${RUN_COLUMNS}`;
const UNLOCK = `SELECT pg_advisory_unlock(${PUBLISHER_LOCK})`;
const CONNECT_TIMEOUT_MS = 2000;
const QUERY_TIMEOUT_MS = 2500;

/** A publisher looks for events all the time: one that is silent for so long is dead, cut off, or as good as dead. */
const SILENCE_TIMEOUT_MS = 3000;
const LIMITS: SessionLimits = {
  statement_timeout: QUERY_TIMEOUT_MS - 500,
  lock_timeout: 0,
  idle_in_transaction_session_timeout: 0,
  idle_session_timeout: SILENCE_TIMEOUT_MS,
  tcp_user_timeout: SILENCE_TIMEOUT_MS,
};

/** The session of the one replica that publishes: it holds an advisory lock for as long as the session lives. */
export class PublisherSession implements OnApplicationShutdown {
  private readonly session: OwnSession;
  private readonly names = new StatementNames();
  /** The connection that has taken the lock; of no meaning once it is not the session's current one. */
  private leader?: Client;
  /** Where the session of the leader leads. */
  private run = '';

  /** `url` is that of the server. */
  constructor(private readonly url: string) {
    this.session = new OwnSession(url, {
      application_name: 'dossier publisher',
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
  }

  /**
   * Runs the work in the session that holds the lock; undefined if another replica holds it. The session must lead to
   * the run of a server that is in use. Throws `StoreError`.
   */
  async lead<T>(
    work: (query: Query) => Promise<T>,
    isInUse: (run: string) => boolean = () => true,
  ): Promise<T | undefined> {
    try {
      const client = this.session.current ?? (await this.open());
      if (this.leader !== client) {
        const attempt = await tryLock(client);
        if (!attempt.locked) return undefined;
        this.leader = client;
        this.run = runName(attempt);
      }
      if (!isInUse(this.run)) throw new StoreError('postgres', 'unavailable');
      return await work(async (text, values) => {
        const { rows } = await client.query({ name: this.names.of(text), text, values: values as unknown[] });
        return rows as never[];
      });
    } catch (error) {
      // A session in doubt is given up, and the lock with it: a replica that is fit to publish can then take it.
      void this.session.close();
      throw storeErrorOf(error);
    }
  }

  /** Lets another replica have the lock. */
  async standDown(): Promise<void> {
    const { leader } = this;
    if (!leader || leader !== this.session.current) return;
    this.leader = undefined;
    await leader.query(UNLOCK).catch(() => void this.session.close());
  }

  close(): Promise<void> {
    return this.session.close();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  private async open(): Promise<Client> {
    const client = await this.session.open(CONNECT_TIMEOUT_MS);
    await prepareSession(client, LIMITS, withoutStartUpParameters(this.url).settings);
    return client;
  }
}

type Attempt = RunRow & { locked: boolean };

async function tryLock(client: Client): Promise<Attempt> {
  const { rows } = await client.query<Attempt>(TRY_LOCK);
  return rows[0] as Attempt;
}
