import type { LoadGenerator, Load, Sample, Target } from '../load/load-generator-process';
import { untilIdle } from '../load/until-idle';
import { tasksFor, type WorkloadName } from '../load/workloads';
import { numberText, type Goal, type Outcome } from '../report/goal';
import { median } from '../report/statistics';

export const CONNECTIONS = 32;

/** A load on one of the servers of a scene. */
export interface LoadOn {
  readonly server: string;
  readonly workload: WorkloadName;
  /** 32 by default. */
  readonly connections?: number;
}

type Metric = 'requests/s' | 'p99, ms' | 'PostgreSQL, µs' | 'failures';

/** What a load must reach: by itself, or as a multiple of what another load reaches in the same round. */
export interface LoadGoal {
  /** What `--only` selects it by. */
  readonly name: string;
  readonly work: string;
  readonly of: LoadOn;
  readonly per?: LoadOn;
  /** Requests per second by default. */
  readonly metric?: Metric;
  /** How many units of `per` one unit of `of` counts as; 1 by default. */
  readonly weight?: number;
  readonly goal?: Goal;
  /** Of what was reached, if there is no goal. */
  readonly unit?: string;
  readonly unjudged?: string;
}

export interface Rounds {
  readonly rounds: number;
  /** Of one load. */
  readonly seconds: number;
}

const METRICS: Readonly<Record<Metric, (sample: Sample) => number>> = {
  'requests/s': ({ requestsPerSecond }) => requestsPerSecond,
  'p99, ms': ({ p99Ms }) => p99Ms,
  'PostgreSQL, µs': ({ cpuMicros }) => cpuMicros?.postgres ?? NaN,
  failures: ({ failures }) => failures,
};

export function onService(workload: WorkloadName, connections?: number): LoadOn {
  return { server: 'service', workload, connections };
}

/** The service beside the bare server, under the same load. */
export function perBare(name: string, work: string, workload: WorkloadName, connections?: number) {
  return { name, work, of: onService(workload, connections), per: { server: 'bare', workload, connections } };
}

/** The kinds of tasks that the loads of these goals need. */
export function tasksForGoals(goals: readonly LoadGoal[]) {
  return tasksFor(loadsOf(goals).map(({ workload }) => workload));
}

/**
 * Measures every load that the goals need once in each round, one after the other, every second round in the reverse
 * order: other work on the machine, and what the loads leave behind, so affects all of them. A goal gets the median of
 * the rounds.
 */
export async function measureLoadGoals(
  generator: Pick<LoadGenerator, 'measure'>,
  servers: Readonly<Record<string, Target>>,
  goals: readonly LoadGoal[],
  { rounds, seconds }: Rounds,
): Promise<Outcome[]> {
  const loads = loadsOf(goals);
  const samples = new Map<string, Sample[]>(loads.map((load) => [nameOf(load), []]));
  for (let round = 0; round < rounds; round++) {
    for (const load of round % 2 === 0 ? loads : loads.toReversed()) {
      await untilIdle(Object.values(servers));
      const sample = await generator.measure(servers[load.server] as Target, asLoad(load), seconds);
      samples.get(nameOf(load))?.push(sample);
    }
  }
  const samplesOf = (load: LoadOn) => samples.get(nameOf(load)) ?? [];
  return goals.map((goal) => outcomeOf(goal, samplesOf(goal.of), goal.per && samplesOf(goal.per)));
}

/** `reference` has the samples of the same rounds. */
export function outcomeOf(
  { work, goal, unit, metric = 'requests/s', weight = 1, unjudged }: LoadGoal,
  samples: readonly Sample[],
  reference?: readonly Sample[],
): Outcome {
  const value = METRICS[metric];
  const reached = samples.map((sample, round) => {
    const per = reference?.[round];
    return per ? (weight * value(sample)) / value(per) : value(sample);
  });
  return {
    work,
    ceiling: reference && ceilingText(metric, median(reference.map(value))),
    goal,
    unit,
    reached: metric === 'failures' ? sum(reached) : median(reached),
    latency: { p50Ms: middle(samples, ({ p50Ms }) => p50Ms), p99Ms: middle(samples, ({ p99Ms }) => p99Ms) },
    cpuMicros: samples.some(({ cpuMicros }) => cpuMicros) ? cpuOf(samples) : undefined,
    problem: metric === 'failures' ? undefined : problemOf([...samples, ...(reference ?? [])]),
    unjudged,
  };
}

/** A failure may be cheaper than a reply, so that nothing can be said. */
function problemOf(samples: readonly Sample[]): string | undefined {
  const failures = sum(samples.map((sample) => sample.failures));
  const requests = sum(samples.map((sample) => sample.requests));
  if (requests === 0) return 'no reply';
  return failures > 0 ? `${failures.toLocaleString('en')} of ${requests.toLocaleString('en')} failed` : undefined;
}

function cpuOf(samples: readonly Sample[]) {
  const of = (part: 'postgres' | 'redis') =>
    samples.every(({ cpuMicros }) => cpuMicros?.[part] !== undefined)
      ? middle(samples, ({ cpuMicros }) => cpuMicros?.[part] ?? NaN)
      : undefined;
  return {
    node: middle(samples, ({ cpuMicros }) => cpuMicros?.node ?? NaN),
    postgres: of('postgres'),
    redis: of('redis'),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function middle(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return median(samples.map(of));
}

function ceilingText(metric: Metric, value: number): string {
  if (metric === 'requests/s') return `${Math.round(value).toLocaleString('en')}/s`;
  return `${numberText(value)} ${metric === 'p99, ms' ? 'ms' : 'µs'}`;
}

/** Each load once; loads of the same work stand beside each other. */
function loadsOf(goals: readonly LoadGoal[]): LoadOn[] {
  const loads = goals.flatMap(({ of, per }) => (per ? [per, of] : [of]));
  return [...new Map(loads.map((load) => [nameOf(load), load])).values()];
}

function nameOf(load: LoadOn): string {
  return `${load.workload}, ${load.server}, ${asLoad(load).connections} connections`;
}

function asLoad({ workload, connections = CONNECTIONS }: LoadOn): Load {
  return { workload, connections };
}
