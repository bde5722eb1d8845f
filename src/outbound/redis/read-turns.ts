import { StoreError } from '../../core/ports/store-error';
import { FairQueue } from '../system/fair-queue';

/** Of all callers together: Redis takes some 20 ms for them, and serves everybody else afterwards. */
const RECORDS_AT_ONCE = 1024;
/** A read of no more needs no turn. */
const FREE_RECORDS = 8;
/** As long as a command may take. */
const MAX_WAIT_MS = 5000;

/**
 * Bounds how many records of the callers Redis is asked for at the same time. It has one thread, and all callers share
 * one connection: hundreds of lists of one caller would be half a second of waiting for every other one.
 */
export class ReadTurns {
  private readonly places = new FairQueue(RECORDS_AT_ONCE);

  /** Rejects with a `StoreError` also if the organisation has too much to read. */
  async inTurn<T>(records: number, organization: string, read: () => Promise<T>): Promise<T> {
    if (records <= FREE_RECORDS) return read();
    const leave = await this.places.enter(organization, MAX_WAIT_MS, records);
    if (!leave) throw new StoreError('redis', 'busy');
    try {
      return await read();
    } finally {
      leave();
    }
  }
}
