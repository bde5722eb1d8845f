import type { OnModuleDestroy } from '@nestjs/common';
import type { DrainJournal } from '../../core/use-cases/upkeep/drain-journal';
import type { ContinueDeletions } from '../../core/use-cases/upkeep/continue-deletions';
import type { DeleteDueTasks } from '../../core/use-cases/upkeep/delete-due-tasks';
import type { ProjectChanges } from '../../core/use-cases/upkeep/project-changes';
import type { PublishEvents, PublishOutcome } from '../../core/use-cases/events/publish-events';
import type { PurgeHistory } from '../../core/use-cases/upkeep/purge-history';
import type { ReportBacklog } from '../../core/use-cases/upkeep/report-backlog';
import type { SweepExpired } from '../../core/use-cases/upkeep/sweep-expired';
import { PeriodicJob, type Pause } from './periodic-job';

/** A change of which the cache was not told stays unseen for about as long. */
const PROJECT_MS = 50;
const DRAIN_MS = 200;
/** An empty journal is looked into for what other replicas have left there, and have not drained themselves. */
const DRAIN_EMPTY: Pause = { atLeastMs: DRAIN_MS, atMostMs: 1000 };
/** Short enough that both stores agree again within seconds after they are back. */
const RECOVERY_RETRY_MS = 1000;
/** The death of the publisher is noticed after three seconds; another replica then publishes within five. */
const PUBLISH_PAUSES: Record<PublishOutcome, Pause> = {
  published: 0,
  // Events that wait are published together; those that this replica is not told of wait longer.
  idle: { atLeastMs: 20, atMostMs: 250 },
  standby: 1000,
};
/**
 * A replica that could not publish has stood down. It waits longer than the longest pause of a standby, so that a
 * standby takes over; but not so long that a standby which dies meanwhile delays events by more than five seconds.
 */
const PUBLISH_RETRY_MS = 1500;
/** Otherwise each job would log each failure of a store that comes and goes. */
const QUIET_MS = 10_000;
const SWEEP_MS = 5000;
const CONTINUE_DELETIONS_MS = 1000;
/** Longer than a turn of the use case, even if it is shortened by a tenth. */
const DELETE_DUE_TASKS_MS = 1000;
const REPORT_MS = 5000;
const PURGE_MS = 60 * 60 * 1000;
const PURGE_RETRY_MS = 60 * 1000;

/** Batches are small, so that a shutdown does not wait for long. */
interface InBatches {
  execute(): Promise<{ readonly more: boolean }>;
}

/** What the service does without being asked. */
export class BackgroundJobs implements OnModuleDestroy {
  private readonly jobs: readonly PeriodicJob[];
  private readonly report: PeriodicJob;

  constructor(
    drain: DrainJournal,
    project: ProjectChanges,
    publish: PublishEvents,
    sweep: SweepExpired,
    deletions: ContinueDeletions,
    dueTasks: DeleteDueTasks,
    report: ReportBacklog,
    purge: PurgeHistory,
    /** Of the pauses of all jobs; chance by default. */
    jitter?: () => number,
  ) {
    const every = (pauseMs: number, name: string, useCase: InBatches, maxRetryMs = pauseMs) =>
      new PeriodicJob({ name, maxRetryMs, quietMs: QUIET_MS, jitter, run: () => pauseAfter(useCase, () => pauseMs) });
    this.report = every(REPORT_MS, 'report the backlog', report);
    this.jobs = [
      drainJob(drain, jitter),
      every(PROJECT_MS, 'project changes into the cache', project, RECOVERY_RETRY_MS),
      publishJob(publish, jitter),
      every(SWEEP_MS, 'sweep expired attachments', sweep),
      every(CONTINUE_DELETIONS_MS, 'continue the deletion of trees', deletions),
      every(DELETE_DUE_TASKS_MS, 'delete due tasks', dueTasks),
      this.report,
      every(PURGE_MS, 'purge history', purge, PURGE_RETRY_MS),
    ];
  }

  /** Calls may be served before the database has its schema: they leave something to report. */
  startReport(): void {
    this.report.start();
  }

  /** Of each job that has succeeded once: its name, and when it last did, in ms since the epoch. */
  get lastSuccesses(): readonly (readonly [name: string, atMs: number])[] {
    return this.jobs.flatMap(({ name, lastSuccessMs }) => (lastSuccessMs === undefined ? [] : [[name, lastSuccessMs]]));
  }

  /** To be called once the database has its schema. */
  start(): void {
    for (const job of this.jobs) job.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.stop()));
  }
}

function drainJob(drain: DrainJournal, jitter?: () => number): PeriodicJob {
  const job = new PeriodicJob({
    name: 'drain the journal',
    run: () => pauseAfter(drain, () => (drain.mayHaveEntries ? DRAIN_MS : DRAIN_EMPTY)),
    maxRetryMs: RECOVERY_RETRY_MS,
    quietMs: QUIET_MS,
    jitter,
  });
  drain.onAppended(() => job.wake());
  return job;
}

function publishJob(publish: PublishEvents, jitter?: () => number): PeriodicJob {
  const job = new PeriodicJob({
    name: 'publish events',
    run: async () => PUBLISH_PAUSES[await publish.execute()],
    firstRetryMs: PUBLISH_RETRY_MS,
    maxRetryMs: PUBLISH_RETRY_MS,
    quietMs: QUIET_MS,
    jitter,
  });
  publish.onWaiting(() => job.wake());
  return job;
}

/** None while there is more to do. */
async function pauseAfter(useCase: InBatches, pause: () => Pause): Promise<Pause> {
  const { more } = await useCase.execute();
  return more ? 0 : pause();
}
