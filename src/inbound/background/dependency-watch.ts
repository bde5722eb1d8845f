import type { OnModuleDestroy } from '@nestjs/common';
import type { Dependency } from '../../core/ports/dependency';
import type { StoreError } from '../../core/ports/store-error';
import { PeriodicJob } from './periodic-job';

const PING_PAUSE_MS = 1000;

type Store = Dependency & { readonly name: StoreError['store'] };

/** Whoever wants to know that a store answers. */
export interface StoreListener {
  /** It answers, after a time in which it did not. */
  recovered(store: StoreError['store']): void;
  /** It answers. */
  reachable(store: StoreError['store']): void;
}

/** Asks the stores every second how they are, so that nobody has to find out by failing a caller. */
export class DependencyWatch implements OnModuleDestroy {
  private readonly jobs: readonly PeriodicJob[];

  constructor(stores: readonly Store[], listener: StoreListener) {
    this.jobs = stores.map((store) => watch(store, listener));
  }

  start(): void {
    for (const job of this.jobs) job.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.stop()));
  }
}

function watch(store: Store, listener: StoreListener): PeriodicJob {
  let isDown = false;
  const run = async () => {
    const wasDown = isDown;
    isDown = true;
    await store.ping();
    isDown = false;
    if (wasDown) listener.recovered(store.name);
    else listener.reachable(store.name);
    return PING_PAUSE_MS;
  };
  return new PeriodicJob({ name: `ask ${store.name}`, run, maxRetryMs: PING_PAUSE_MS });
}
