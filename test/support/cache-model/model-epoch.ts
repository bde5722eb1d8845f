import { CacheEpoch } from '../../../src/core/ports/cache-epoch';
import { StoreError } from '../../../src/core/ports/store-error';
import type { CacheModel } from './cache-model';

/** As a command names it. */
export type UsedEpoch = Pick<ModelEpoch, 'generation' | 'refusal'>;

/** The epoch in which one replica uses a model of Redis. */
export class ModelEpoch extends CacheEpoch {
  private changes = 0;

  constructor(
    private readonly model: CacheModel,
    /** Of the connection, now. */
    private readonly connection: () => number = () => 0,
    private epoch: string | undefined = '',
  ) {
    super();
  }

  get generation(): number {
    return this.connection() + this.changes;
  }

  use(epoch: string | undefined): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.changes += 1;
  }

  /** Undefined if Redis may be used and is in the same epoch. */
  get refusal(): StoreError | undefined {
    return this.epoch !== undefined && this.model.isIn(this.epoch) ? undefined : new StoreError('redis', 'unavailable');
  }
}

/** What the work returns, unless Redis must not be used or is in another epoch. The work is done when this returns. */
export function inEpoch<T>(epoch: UsedEpoch, work: () => T): Promise<T> {
  const refusal = epoch.refusal;
  return refusal ? Promise.reject(refusal) : new Promise((resolve) => resolve(work()));
}
