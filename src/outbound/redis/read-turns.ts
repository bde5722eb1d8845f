import { StoreError } from '../../core/ports/store-error';
import { FairQueue } from '../system/fair-queue';

/** As long as a command may take. */
const MAX_WAIT_MS = 5000;

/** Reads that organisations make in turn, as what Redis is asked for at the same time has a bound. */
export class ReadTurns {
  private readonly places: FairQueue;

  constructor(places: number) {
    this.places = new FairQueue(places);
  }

  /** Rejects with a `StoreError` also if the organisation has too much to read. */
  async take<T>(organization: string, read: () => Promise<T>, places = 1): Promise<T> {
    const leave = await this.places.enter(organization, MAX_WAIT_MS, places);
    if (!leave) throw new StoreError('redis', 'busy');
    try {
      return await read();
    } finally {
      leave();
    }
  }
}
