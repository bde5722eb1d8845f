import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../simulation/random';
import { until } from '../support/poll';
import { AnnouncedEvents } from './announced-events';
import type { Fault } from './faults';
import type { History } from './history';
import { violations } from './history-checker';
import { AGREED_AFTER_MS, disagreements, evidenceOf, falseAnswers, untilCaughtUp } from './outcome';
import { startReplicas, untilRecovered, type GroupOptions, type ReplicaGroup } from './replica-group';
import { StoredTruth } from './stored-truth';
import { Workload } from './workload';

/** How often each fault is tried, each time with another workload. */
const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1);
const FIRST_SEED = Number(process.env['FAULT_SEED'] ?? 1);
const REPLICAS = 3;
const KEYS = 24;

/** For how long after a fault answers may be stale. */
const FRESH_AFTER_MS = 5000;
/** How many answers there are before the fault, and again when all is well. */
const ANSWERS_IN_CALM = 60;

export interface SuiteOptions extends GroupOptions {
  /** The keys are spread over so many tasks; 2 by default. */
  readonly tasks?: number;
}

/** One test for each fault, on replicas of the suite's own. The result returns these. */
export function faultSuite(faults: readonly Fault[], { tasks = 2, ...options }: SuiteOptions = {}): () => ReplicaGroup {
  let group: ReplicaGroup;
  let announced: AnnouncedEvents;

  beforeAll(async () => {
    group = await startReplicas(REPLICAS, options);
    announced = await AnnouncedEvents.follow(group.nats.url);
  });
  afterAll(async () => {
    await announced?.stop();
    await group?.close();
  });

  it.each(casesOf(faults))('$fault.name (seed $seed)', async ({ fault, seed }) => {
    await untilRecovered(group);
    const workload = await prepareWorkload(group, seed, tasks);
    const history = await workThrough(fault, workload, group, announced);
    const truth = await StoredTruth.open(group);
    try {
      expect(await disagreements(truth, workload.taskIds)).toEqual([]);
      for (const replica of group.replicas) expect(await falseAnswers(replica, truth, workload.taskIds)).toEqual([]);
      expect(violations(history, await evidenceOf(truth, workload.taskIds, announced))).toEqual([]);
    } finally {
      await truth.close();
    }
    expect(workload.unexpected).toEqual([]);
    expect(group.replicas.filter(({ hasCrashed }) => hasCrashed).map(({ name }) => name)).toEqual([]);
  });
  return () => group;
}

function casesOf(faults: readonly Fault[]) {
  const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
  return rounds.flatMap((round) => faults.map((fault, i) => ({ fault, seed: FIRST_SEED + round * faults.length + i })));
}

async function prepareWorkload({ replicas }: ReplicaGroup, seed: number, tasks: number): Promise<Workload> {
  const taskIds = Array.from({ length: tasks }, (_, i) => `task-${seed}-${i}`);
  const refs = Array.from({ length: KEYS }, (_, i) => {
    return { taskId: taskIds[i % tasks] as string, key: `key-${Math.floor(i / tasks)}` };
  });
  const workload = new Workload(`task-${seed}`, replicas, refs, new Random(seed));
  await workload.prepare();
  return workload;
}

async function workThrough(
  fault: Fault,
  workload: Workload,
  group: ReplicaGroup,
  heard: AnnouncedEvents,
): Promise<History> {
  const beganAtMs = performance.now();
  workload.start();
  try {
    await answersIn(workload);
    const before = { fromMs: beganAtMs, toMs: performance.now() };
    const end = await fault.begin(group);
    await sleep(fault.lastsMs);
    const { undone, ...damage } = await end();
    const endedAtMs = performance.now();
    await untilCaughtUp(group, endedAtMs + AGREED_AFTER_MS);
    const calmAtMs = Math.min(performance.now(), endedAtMs + FRESH_AFTER_MS);
    const announced = new Set(heard.idsOf(workload.taskIds));
    await answersIn(workload);
    const { attempts, reads, taskAttempts, sightings } = workload;
    const calm = [before, { fromMs: calmAtMs, toMs: Infinity }];
    const seen = undone && { ...undone, seenUntilMs: calmAtMs, announced };
    return { attempts, reads, taskAttempts, sightings, calm, ...damage, undone: seen };
  } finally {
    await workload.stop();
  }
}

function answersIn(workload: Workload): Promise<boolean> {
  const enough = workload.answers + ANSWERS_IN_CALM;
  return until(`${ANSWERS_IN_CALM} answers`, () => workload.answers >= enough, AGREED_AFTER_MS);
}
