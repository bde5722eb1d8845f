import { ReadTurns } from './read-turns';

/** Of all callers together: Redis takes some 20 ms for them, and serves everybody else afterwards. */
const RECORDS_AT_ONCE = 1024;
/** A read of no more needs no turn. */
const FREE_RECORDS = 8;

/**
 * Bounds how many records of the callers Redis is asked for at the same time. It has one thread, and all callers share
 * one connection: every other one would wait for hundreds of lists of one caller.
 */
export class RecordReads {
  private readonly turns = new ReadTurns(RECORDS_AT_ONCE);

  /** Rejects with a `StoreError` also if the organisation has too much to read. */
  inTurn<T>(records: number, organization: string, read: () => Promise<T>): Promise<T> {
    return records <= FREE_RECORDS ? read() : this.turns.take(organization, read, records);
  }
}
