import type { StoreIdentity } from '../../core/ports/store-identity';
import { StoreServer } from '../../core/ports/store-server';
import type { MemoryDatabase } from './memory-database';

/** A database in this process cannot be replaced by another one: it is always the one that is used. */
export class MemoryStoreServer extends StoreServer {
  constructor(private readonly database: MemoryDatabase) {
    super();
  }

  look(): Promise<StoreIdentity> {
    return Promise.resolve(this.database.history.identity());
  }

  beginEpoch(after: string): Promise<void> {
    this.database.history.beginEpoch(after);
    return Promise.resolve();
  }

  use(): void {
    // Nothing to choose from.
  }
}
