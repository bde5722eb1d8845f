import type { Pool, PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions';
import { PooledSession } from './pooled-session';
import { storeErrorOf } from './postgres-error';
import { StatementNames } from './statement-names';

/** Opens the sessions for calls, and keeps those that are not in use. Throws `StoreError`. */
export class SessionPool {
  private readonly dataSource: DataSource;
  private readonly names = new StatementNames();
  private readonly openedAtMs = new WeakMap<PoolClient, number>();
  private opening?: Promise<unknown>;
  private refused = false;

  constructor(options: PostgresDataSourceOptions) {
    this.dataSource = new DataSource(options);
  }

  /** Whether the server has refused the last session that was wanted of it. */
  get isRefused(): boolean {
    return this.refused;
  }

  /** How many sessions it may have. Not before it is open. */
  get maxSessions(): number {
    return this.pool.options.max;
  }

  /** How many sessions it may have, and how many calls use one; 0 until it is open. */
  get counts(): { readonly size: number; readonly inUse: number } {
    if (!this.dataSource.isInitialized) return { size: 0, inUse: 0 };
    const { totalCount, idleCount } = this.pool;
    return { size: this.maxSessions, inUse: totalCount - idleCount };
  }

  /** To be called before `connect`. After a failure it may be called again. */
  async open(): Promise<void> {
    if (this.dataSource.isInitialized) return;
    this.opening ??= this.dataSource.initialize().finally(() => (this.opening = undefined));
    await this.notingRefusal(this.opening);
  }

  /** A session that no other call uses; the server may have to open it first. */
  async connect(): Promise<PooledSession> {
    const client = await this.notingRefusal(this.pool.connect());
    const openedAtMs = this.openedAtMs.get(client) ?? performance.now();
    this.openedAtMs.set(client, openedAtMs);
    return new PooledSession(client, this.names, openedAtMs);
  }

  async close(): Promise<void> {
    await this.opening?.catch(() => undefined);
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private async notingRefusal<T>(opening: Promise<T>): Promise<T> {
    try {
      const opened = await opening;
      this.refused = false;
      return opened;
    } catch (error) {
      this.refused = true;
      throw storeErrorOf(error);
    }
  }

  private get pool(): Pool {
    return (this.dataSource.driver as PostgresDriver).master as Pool;
  }
}
