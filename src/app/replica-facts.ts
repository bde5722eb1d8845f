import { mintedAtMs } from '../core/domain/version';
import type { AttachmentCache } from '../core/ports/attachment-cache';
import type { AttachmentJournal } from '../core/ports/attachment-journal';
import type { Outbox } from '../core/ports/outbox';
import type { PublishEvents } from '../core/use-cases/events/publish-events';
import type { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import type { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import type { LogLevels } from '../inbound/admin/log-levels';
import { ReplicaStatus } from '../inbound/admin/replica-status';
import type { BackgroundJobs } from '../inbound/background/background-jobs';
import type { DependencyWatch } from '../inbound/health/dependency-watch';
import type { Lifecycle } from '../inbound/health/lifecycle';
import type { Readiness } from '../inbound/health/readiness';
import type { Breakers } from '../outbound/breakers/breakers';
import { databaseFacts } from '../outbound/postgres/database-facts';
import type { PostgresConnection } from '../outbound/postgres/postgres-connection';
import type { Config } from './config';
import { fleetSettings } from './fleet-settings';
import { packageVersion } from './package-version';

/** Shorter than an operator's patience, and than that of the command. */
const PATIENCE_MS = 2000;

/** What the probes, breakers, jobs and stores of this replica say, in one object. */
export class ReplicaFacts extends ReplicaStatus {
  constructor(
    private readonly lifecycle: Lifecycle,
    private readonly readiness: Readiness,
    private readonly dependencies: DependencyWatch,
    private readonly breakers: Breakers,
    private readonly jobs: BackgroundJobs,
    private readonly project: ProjectChanges,
    private readonly drain: DrainJournal,
    private readonly publish: PublishEvents,
    private readonly postgres: PostgresConnection,
    private readonly cache: AttachmentCache,
    private readonly journal: AttachmentJournal,
    private readonly outbox: Outbox,
    private readonly levels: LogLevels,
    private readonly config: Config,
  ) {
    super();
  }

  async read(): Promise<object> {
    const [database, owners, journal, outbox] = await Promise.all([
      inTime(databaseFacts(this.postgres)),
      inTime(this.owners()),
      inTime(this.journal.backlog()),
      inTime(this.outbox.backlog()),
    ]);
    return {
      ...this.process(),
      ready: this.readiness.isReady,
      phase: this.lifecycle.current,
      standing: this.project.standing,
      dependencies: this.dependencies.health,
      breakersOpen: this.breakers.open.map(({ store, operation }) => `${operation} on ${store}`),
      sessions: this.postgres.sessions,
      database: database ?? null,
      cache: { owners: owners ?? null, ...this.trust() },
      journal: journal ? { ...journal, oldestSeconds: this.oldestSeconds() } : null,
      outbox: outbox ? { unpublished: outbox.count, oldestSeconds: seconds(outbox.oldestAgeMs) } : null,
      isPublisher: this.publish.isPublisher,
      lastSuccessOfJobs: Object.fromEntries(this.jobs.lastSuccesses.map(([name, atMs]) => [name, iso(atMs)])),
      settings: fleetSettings(this.config),
    };
  }

  private process(): object {
    const { instanceId } = this.config;
    const startedAt = iso(Date.now() - process.uptime() * 1000);
    const logLevel = this.levels.present;
    return { instanceId, version: packageVersion(), node: process.version, startedAt, logLevel };
  }

  private trust(): object {
    const { isCacheTrusted, lagMs } = this.project;
    return { isTrusted: isCacheTrusted, projectionLagSeconds: lagMs === undefined ? null : seconds(lagMs) };
  }

  /** Each database and epoch to which a part of the cache belongs: more than one is an accident. */
  private async owners(): Promise<readonly object[]> {
    const cursors = await this.cache.cursors();
    const owners = cursors.flatMap(({ owner }) =>
      owner ? [{ databaseId: owner.databaseId, epoch: owner.epoch }] : [],
    );
    return [...new Map(owners.map((owner) => [JSON.stringify(owner), owner])).values()];
  }

  /** Of the oldest entry when this replica last read the journal. */
  private oldestSeconds(): number {
    const { oldestVersion } = this.drain;
    return oldestVersion === undefined ? 0 : seconds(Math.max(0, Date.now() - mintedAtMs(oldestVersion)));
  }
}

/** Undefined if it fails, or takes too long. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), PATIENCE_MS)));
  return Promise.race([answer.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
