import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { isOutage, StoreError } from '../core/ports/store-error';
import { UnfitSchemaError } from '../core/ports/unfit-schema-error';
import type { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import type { BackgroundJobs } from '../inbound/background/background-jobs';
import type { DependencyWatch } from '../inbound/health/dependency-watch';
import type { Lifecycle } from '../inbound/health/lifecycle';
import type { LoadShedder } from '../inbound/load/load-shedder';
import type { PostgresConnection } from '../outbound/postgres/postgres-connection';
import type { RedisConnection } from '../outbound/redis/redis-connection';
import { causeOf } from './cause-of';

const MIGRATION_RETRY_MS = 1000;
/** How long the start waits for Redis, so that the first calls can use it. */
const REDIS_HEAD_START_MS = 1000;

/** Brings the service from an initialised application to one that serves. */
export class StartUp {
  private readonly logger = new Logger('main');
  private readonly postgresLogger = new Logger('postgres');
  private refusedRedis?: string;

  constructor(
    private readonly postgres: PostgresConnection,
    private readonly lifecycle: Lifecycle,
    private readonly load: LoadShedder,
    private readonly watch: DependencyWatch,
    private readonly jobs: BackgroundJobs,
    private readonly project: ProjectChanges,
    /** Whether this replica may change the schema. Otherwise it waits until that is done. */
    private readonly migrates: boolean,
    private readonly redis?: RedisConnection,
  ) {}

  /**
   * `listen` opens the HTTP port and returns its URL. Resolves when the start is complete, or the process is being
   * stopped.
   */
  async run(listen: () => Promise<string>): Promise<void> {
    const migration = this.migrateUntilDone();
    // An embedded database has one session: no HTTP call may come between it and its schema.
    if (this.postgres.isEmbedded) await migration;
    await this.redis?.waitUntilReady(REDIS_HEAD_START_MS).catch(() => undefined);
    if (this.lifecycle.isLeaving) return migration;
    this.load.watchEventLoop();
    this.watch.start();
    this.logger.log(`listening on ${await listen()}`);
    await migration;
    if (!this.lifecycle.isLeaving) this.jobs.start();
  }

  /**
   * The start is complete when the database has its schema, and Redis belongs to it. An unavailable server is waited
   * for. If Redis shows that a replica with the same address of the server has used it before, calls are served
   * meanwhile from what it knows, and from its journal, as in any other outage.
   */
  private async migrateUntilDone(): Promise<void> {
    let warning: string | undefined;
    while (!this.lifecycle.isLeaving) {
      try {
        const migrated = await this.postgres.migrate(this.migrates, () =>
          this.postgresLogger.log('waits for another process that migrates'),
        );
        if (migrated.length > 0) this.postgresLogger.log(`migrated: ${migrated.join(', ')}`);
        if (warning !== undefined) this.postgresLogger.log('the schema is there');
        warning = undefined;
        const mismatch = await this.redis?.mismatch(REDIS_HEAD_START_MS);
        if (mismatch !== undefined) this.refuseRedis(mismatch);
        else if (await this.isAtHome()) return this.lifecycle.started();
        await sleep(MIGRATION_RETRY_MS, undefined, { ref: false });
      } catch (error) {
        // The projection reports it, and uses no store until it has found the schema fit.
        if (error instanceof UnfitSchemaError) this.project.refuse(error);
        else warning = await this.goOnWithout(error, warning);
        await sleep(MIGRATION_RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** Returns the warning about it, which is not repeated. */
  private async goOnWithout(error: unknown, known: string | undefined): Promise<string> {
    const servesWithout = this.redis !== undefined && isOutage(error) && (await this.isAtHome());
    if (servesWithout) this.serveWithoutPostgres();
    const warning = `cannot migrate yet${servesWithout ? ', serving without PostgreSQL' : ''}: ${causeOf(error)}`;
    if (warning !== known) this.postgresLogger.warn(warning);
    return warning;
  }

  /** Whether Redis, if it can be reached, belongs to the database that is reached, or was reached under its address. */
  private async isAtHome(): Promise<boolean> {
    await this.project.execute().catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
    });
    return this.project.standing === 'home';
  }

  /** An unavailable Redis is waited for while calls are served. This one will never be available. */
  private refuseRedis(reason: string): void {
    if (this.refusedRedis !== reason) this.logger.error(`the start is not complete: ${reason}`);
    this.refusedRedis = reason;
  }

  private serveWithoutPostgres(): void {
    this.jobs.startReport();
    this.lifecycle.started();
  }
}
