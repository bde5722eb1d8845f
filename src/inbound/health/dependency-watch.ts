import { Logger, type OnModuleDestroy } from '@nestjs/common';
import { PING_TIMEOUT_MS, type Dependency } from './dependency';
import { StoreError } from '../../core/ports/store-error';
import { PeriodicJob } from '../background/periodic-job';

const PING_PAUSE_MS = 1000;

/** A dependency without a configured server is `embedded`. */
export interface DependencyHealth {
  readonly state: 'up' | 'down' | 'embedded';
  /** Why the server should not be relied on although it answers. */
  readonly reason?: string;
}

const EMBEDDED: DependencyHealth = { state: 'embedded' };
const DOWN: DependencyHealth = { state: 'down' };

/** Is told when a store answers. */
export interface StoreListener {
  /** The store answers after a time in which it did not. */
  recovered(store: StoreError['store']): void;
  /** The store answers, as it did before. */
  reachable(store: StoreError['store']): void;
}

/** Asks every server each second, so that an outage is known before a call fails or a probe has to wait. */
export class DependencyWatch implements OnModuleDestroy {
  private readonly jobs: readonly PeriodicJob[];
  private readonly healths: Record<Dependency['name'], DependencyHealth> = {
    postgres: EMBEDDED,
    redis: EMBEDDED,
    nats: EMBEDDED,
  };

  constructor(
    dependencies: readonly Dependency[],
    private readonly listener: StoreListener,
    /** Of a PostgreSQL that is embedded: it is never asked. */
    private readonly isEmbeddedRunning: () => boolean = () => true,
  ) {
    for (const { name } of dependencies) this.healths[name] = DOWN;
    this.jobs = dependencies.map((one) => this.watch(one));
  }

  /** As each server answered last; a server that has not answered yet is down. */
  get health(): Readonly<Record<Dependency['name'], DependencyHealth>> {
    return this.isEmbeddedRunning() ? this.healths : { ...this.healths, postgres: DOWN };
  }

  start(): void {
    for (const job of this.jobs) job.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.stop()));
  }

  private watch(dependency: Dependency): PeriodicJob {
    const { name } = dependency;
    const logger = new Logger(name);
    let hasFailed = false;
    const run = async () => {
      try {
        const [reason] = await Promise.all([dependency.unfitness?.(PING_TIMEOUT_MS), dependency.ping(PING_TIMEOUT_MS)]);
        if (reason !== undefined && reason !== this.healths[name].reason) logger.warn(reason);
        this.healths[name] = { state: 'up', reason };
      } catch (error) {
        hasFailed = true;
        this.healths[name] = DOWN;
        // A question to a server holds nothing of a caller: the operator may read all that the server said.
        throw error instanceof StoreError ? new Error(error.reason) : error;
      }
      if (name !== 'nats') this.listener[hasFailed ? 'recovered' : 'reachable'](name);
      hasFailed = false;
      return PING_PAUSE_MS;
    };
    return new PeriodicJob({ name: `ask ${name}`, run, maxRetryMs: PING_PAUSE_MS });
  }
}
