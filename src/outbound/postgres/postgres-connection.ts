import type { Pool, PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver';
import type { Dependency } from '../../core/ports/dependency';
import { StoreError } from '../../core/ports/store-error';
import type { Database } from './database';
import { isAnswer, storeErrorOf } from './postgres-error';

const PING_TIMEOUT_MS = 900;

/** Runs one statement, prepared once per session; throws `StoreError`. */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * The pool of sessions that the stores share. It connects when it is first asked, so the server may be away when this
 * one starts, and come and go later.
 */
export class PostgresConnection implements Dependency {
  readonly name = 'postgres';
  private readonly dataSource: DataSource;
  private readonly statementNames = new Map<string, string>();
  private initializing?: Promise<unknown>;

  constructor(private readonly database: Database) {
    this.dataSource = new DataSource(database.serving);
  }

  async ping(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new StoreError('postgres', 'timeout')), PING_TIMEOUT_MS);
    });
    await Promise.race([this.query('SELECT 1'), silence]).finally(() => clearTimeout(timer));
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.withSession((query) => query<Row>(text, values));
  }

  /** Commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
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
    });
  }

  async close(): Promise<void> {
    await this.initializing?.catch(() => undefined);
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.database.close();
  }

  private async withSession<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.connect();
    // Whatever breaks between two statements is told to the next one; without a listener it would end the process.
    const ignore = () => undefined;
    client.on('error', ignore);
    let broken: StoreError | undefined;
    const query: Query = async (text, values) => {
      if (broken) throw broken;
      try {
        const { rows } = await client.query({ name: this.statementName(text), text, values: values as unknown[] });
        return rows as never[];
      } catch (error) {
        const storeError = storeErrorOf(error);
        if (!isAnswer(error)) broken = storeError;
        throw storeError;
      }
    };
    try {
      return await work(query);
    } finally {
      client.off('error', ignore);
      client.release(broken);
    }
  }

  private async connect(): Promise<PoolClient> {
    try {
      if (!this.dataSource.isInitialized) {
        this.initializing ??= this.dataSource.initialize().finally(() => (this.initializing = undefined));
        await this.initializing;
      }
      return await ((this.dataSource.driver as PostgresDriver).master as Pool).connect();
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  private statementName(text: string): string {
    const name = this.statementNames.get(text) ?? `s${this.statementNames.size}`;
    this.statementNames.set(text, name);
    return name;
  }
}
