import type { Violation } from './history';
import { runSchedule } from './schedule';
import { planOfSeed } from './seeds';

export interface SeedRange {
  readonly from: number;
  readonly until: number;
  /** Every how many-th: several processes share the seeds. */
  readonly step: number;
  readonly scenario?: string;
  /** Ends early when so many have failed. */
  readonly maxFailures: number;
}

export interface Failure {
  readonly seed: number;
  readonly scenario: string;
  readonly violation: Violation;
}

export interface Progress {
  readonly schedules: number;
  readonly failures: readonly Failure[];
}

const REPORT_INTERVAL_MS = 1000;

/** Runs every seed of the range, and tells from time to time how far it is. */
export async function runSeeds(range: SeedRange, report?: (progress: Progress) => void): Promise<Progress> {
  const failures: Failure[] = [];
  let schedules = 0;
  let reportedAtMs = performance.now();
  for (let seed = range.from; seed < range.until && failures.length < range.maxFailures; seed += range.step) {
    const plan = planOfSeed(seed, range.scenario);
    const { violation } = await runSchedule(plan);
    schedules += 1;
    if (violation) failures.push({ seed, scenario: plan.scenario.name, violation });
    if (report && performance.now() - reportedAtMs > REPORT_INTERVAL_MS) {
      reportedAtMs = performance.now();
      report({ schedules, failures });
    }
  }
  return { schedules, failures };
}
