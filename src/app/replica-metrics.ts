import { Gauge, type Registry } from 'prom-client';
import { mintedAtMs } from '../core/domain/version';
import type { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import type { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import type { BackgroundJobs } from '../inbound/background/background-jobs';
import type { DependencyWatch } from '../inbound/health/dependency-watch';
import { schemaVersion } from '../outbound/postgres/migration-records';
import type { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { packageVersion } from './package-version';

const SCHEMA_AGE_MS = 60_000;
const SCHEMA_TIMEOUT_MS = 1000;

/** The state of this replica as gauges, which are read when Prometheus asks. */
export class ReplicaMetrics {
  private schemaReadAtMs = -Infinity;

  constructor(
    private readonly registry: Registry,
    private readonly connection: PostgresConnection,
    dependencies: DependencyWatch,
    jobs: BackgroundJobs,
    drain: DrainJournal,
    project: ProjectChanges,
  ) {
    this.showBuild();
    this.showDependencies(dependencies);
    this.showPool();
    this.showJobs(jobs);
    this.showJournal(drain);
    this.showProjection(project);
    this.showSchema();
  }

  private showBuild(): void {
    const labelNames = ['version', 'node'] as const;
    const gauge = this.gauge(
      'dossier_build_info',
      '1, with the versions of the service and of Node as labels.',
      labelNames,
    );
    gauge.set({ version: packageVersion(), node: process.version }, 1);
  }

  /** What is embedded has a series only while it is down. */
  private showDependencies(dependencies: DependencyWatch): void {
    const labelNames = ['dependency'] as const;
    const help = '1 if the server answered the last question of this replica. Per replica: min.';
    const up = this.gauge('dossier_dependency_up', help, labelNames, () => {
      for (const [dependency, { state }] of Object.entries(dependencies.health)) {
        if (state === 'embedded') up.remove({ dependency });
        else up.set({ dependency }, state === 'up' ? 1 : 0);
      }
    });
    const fitHelp = '1 if the server answers, and is set up so that it can be relied on. Per replica: min.';
    const fit = this.gauge('dossier_dependency_fit', fitHelp, labelNames, () => {
      for (const [dependency, { state, reason }] of Object.entries(dependencies.health)) {
        if (state === 'embedded') fit.remove({ dependency });
        else fit.set({ dependency }, state === 'up' && reason === undefined ? 1 : 0);
      }
    });
  }

  private showPool(): void {
    const help = (what: string) => `${what} Sum over replicas; max for the busiest one.`;
    const size = this.gauge('dossier_pool_size', help('Sessions of PostgreSQL that calls may use.'), [], () => {
      const sessions = this.connection.sessions;
      size.set(sessions.size);
      inUse.set(sessions.inUse);
      waiting.set(sessions.waiting);
    });
    const inUse = this.gauge('dossier_pool_in_use', help('Sessions of PostgreSQL that calls use.'));
    const waiting = this.gauge('dossier_pool_waiting', help('Calls that wait for a session of PostgreSQL.'));
  }

  private showJobs(jobs: BackgroundJobs): void {
    const help = 'When a job of the background last succeeded, in seconds since 1970. Any replica does it: max.';
    const gauge = this.gauge('dossier_job_last_success_timestamp_seconds', help, ['job'] as const, () => {
      for (const [name, atMs] of jobs.lastSuccesses) gauge.set({ job: name.replaceAll(' ', '_') }, atMs / 1000);
    });
  }

  private showJournal(drain: DrainJournal): void {
    const help =
      'How long ago the oldest write in the journal was acknowledged; 0 if none waits. The same for all replicas: max, never sum.';
    const gauge = this.gauge('dossier_journal_oldest_seconds', help, [], () => {
      const { oldestVersion } = drain;
      gauge.set(oldestVersion === undefined ? 0 : Math.max(0, (Date.now() - mintedAtMs(oldestVersion)) / 1000));
    });
  }

  private showProjection(project: ProjectChanges): void {
    const help =
      'For how long the cache may have lacked a change of PostgreSQL, as far as this replica knows. Per replica: max.';
    const lag = this.gauge('dossier_projection_lag_seconds', help, [], () => {
      lag.set(project.lagMs === undefined ? process.uptime() : project.lagMs / 1000);
      trusted.set(project.isCacheTrusted ? 1 : 0);
    });
    const trusted = this.gauge(
      'dossier_cache_trusted',
      '1 if this replica believes the cache; otherwise it asks PostgreSQL. Per replica: min.',
    );
  }

  /** A statement a minute, and none if nothing asks. */
  private showSchema(): void {
    const help =
      'The last migration of the schema, by its 13 digits; 0 if it is not known yet. The same for all replicas: max.';
    const gauge = this.gauge('dossier_schema_version', help, [], async () => {
      if (performance.now() - this.schemaReadAtMs < SCHEMA_AGE_MS) return;
      this.schemaReadAtMs = performance.now();
      const version = await schemaVersion(this.connection, SCHEMA_TIMEOUT_MS).catch(() => undefined);
      if (version === undefined) this.schemaReadAtMs = -Infinity;
      else gauge.set(version);
    });
  }

  private gauge<Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    collect?: () => void | Promise<void>,
  ): Gauge<Label> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry], collect });
  }
}
