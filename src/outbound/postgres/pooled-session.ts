import type { PoolClient } from 'pg';
import { StoreError } from '../../core/ports/store-error';
import { isAnswer, isReadOnly, isStale, storeErrorOf } from './postgres-error';
import type { StatementNames } from './statement-names';

/** Runs one statement, prepared once per session; throws `StoreError`. */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** A session that is younger has begun with the defaults that the next one would have, or nearly so. */
const DEFAULTS_TRUSTED_MS = 5000;

/** The session may not write, by a default that may have been taken back since it began; another session may write. */
export class OutdatedSessionError extends StoreError {
  constructor(cause: unknown) {
    super('postgres', 'unavailable', { cause });
  }
}

/** A break between two statements is reported by the next one. Without a listener it would end the process. */
const IGNORE = () => undefined;

/** A session of the pool, for one call. */
export class PooledSession {
  private broken?: StoreError;
  /** It still answers, but does not go back to the pool. */
  private isOutdated = false;
  private isReleased = false;

  constructor(
    readonly client: PoolClient,
    private readonly names: StatementNames,
    private readonly openedAtMs: number,
  ) {
    client.on('error', IGNORE);
  }

  readonly query: Query = async (text, values) => {
    if (this.broken) throw this.broken;
    try {
      const { rows } = await this.client.query({ name: this.names.of(text), text, values: values as unknown[] });
      return rows as never[];
    } catch (error) {
      const isOutdated = isReadOnly(error) && performance.now() - this.openedAtMs > DEFAULTS_TRUSTED_MS;
      this.isOutdated ||= isOutdated;
      const storeError = this.broken ?? (isOutdated ? new OutdatedSessionError(error) : storeErrorOf(error));
      if (!isAnswer(error) || isStale(error)) this.broken = storeError;
      throw storeError;
    }
  };

  /** Gives it up during its statement, which the server cancels when it finds the connection closed. */
  abandon(reason: StoreError): void {
    this.broken ??= reason;
    this.release();
  }

  /** Does not go back to the pool. Returns the reason. */
  abandonFor<Reason extends StoreError>(reason: Reason): Reason {
    this.broken ??= reason;
    return reason;
  }

  /** Back to the pool, unless it is broken or outdated. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.client.off('error', IGNORE);
    this.client.release(this.broken ?? this.isOutdated);
  }
}

export async function inTransaction<T>(query: Query, work: (query: Query) => Promise<T>): Promise<T> {
  await query('BEGIN');
  try {
    const result = await work(query);
    await query('COMMIT');
    return result;
  } catch (error) {
    await query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
