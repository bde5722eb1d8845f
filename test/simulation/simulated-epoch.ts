import { CacheEpoch } from '../../src/core/ports/cache-epoch';
import { StoreError } from '../../src/core/ports/store-error';
import type { CacheModel } from '../support/cache-model/cache-model';

/** What a command has taken along when it was sent. */
export interface Sent {
  readonly epoch?: string;
  readonly changes: number;
}

/**
 * The epoch in which one replica uses the simulated Redis: a command is carried out in the one in which it was sent.
 */
export class SimulatedEpoch extends CacheEpoch {
  private epoch?: string;
  private changes = 0;
  private taken: Sent & { readonly generation: number } = { changes: 0, generation: 0 };

  constructor(private readonly model: CacheModel) {
    super();
  }

  get name(): string | undefined {
    return this.epoch;
  }

  /** Of the command that is taking effect. */
  get generation(): number {
    return this.taken.generation + this.taken.changes;
  }

  sent(): Sent {
    const { epoch, changes } = this;
    return { epoch, changes };
  }

  take(sent: Sent, generation: number): void {
    this.taken = { ...sent, generation };
  }

  use(epoch: string | undefined): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.changes += 1;
  }

  get refusal(): StoreError | undefined {
    const { epoch } = this.taken;
    return epoch !== undefined && this.model.isIn(epoch) ? undefined : new StoreError('redis', 'unavailable');
  }
}
