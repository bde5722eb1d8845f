import { CacheEpoch } from '../../core/ports/cache-epoch';
import { StoreError } from '../../core/ports/store-error';
import type { RedisConnection } from './redis-connection';

/** A Redis that belongs to no database yet is used in the epoch of this name. */
const NO_EPOCH = '';

/** The epoch that cache and journal name in every command: a Redis that is in another one refuses the command. */
export class RedisEpoch extends CacheEpoch {
  private changes = 0;

  constructor(
    private readonly connection: Pick<RedisConnection, 'generation'>,
    private epoch: string | undefined = NO_EPOCH,
  ) {
    super();
  }

  /** Rises with each new connection and each change of the epoch. */
  get generation(): number {
    return this.connection.generation + this.changes;
  }

  /** Throws `StoreError` while Redis must not be used. */
  get name(): string {
    if (this.epoch === undefined) throw new StoreError('redis', 'unavailable');
    return this.epoch;
  }

  use(epoch: string | undefined): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.changes += 1;
  }
}
