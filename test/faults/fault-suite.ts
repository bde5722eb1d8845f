import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../simulation/random';
import { until } from '../support/poll';
import type { RpcReply } from '../support/service';
import type { WireAttachmentPage } from '../support/wire-values';
import { AnnouncedEvents } from './announced-events';
import { isTaskMissing } from './client';
import type { Fault } from './faults';
import type { Evidence, History, StoredRow } from './history';
import { violations } from './history-checker';
import { startReplicas, untilRecovered, type GroupOptions, type Replica, type ReplicaGroup } from './replica-group';
import { StoredTruth } from './stored-truth';
import { PASSING_KEYS, Workload } from './workload';

/** How often each fault is tried, each time with another workload. */
const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1);
const FIRST_SEED = Number(process.env['FAULT_SEED'] ?? 1);
const REPLICAS = 3;
const KEYS = 24;

/** For how long after a fault the stores may differ, and for how long answers may be stale. */
const AGREED_AFTER_MS = 20_000;
const FRESH_AFTER_MS = 5000;
/** How many answers there are before the fault, and again when all is well. */
const ANSWERS_IN_CALM = 60;
const TEST_TIMEOUT_MS = 120_000;

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
  }, TEST_TIMEOUT_MS);
  afterAll(async () => {
    await announced?.stop();
    await group?.close();
  });

  it.each(casesOf(faults))(
    '$fault.name (seed $seed)',
    async ({ fault, seed }) => {
      await untilRecovered(group);
      const workload = await prepareWorkload(group, seed, tasks);
      const history = await workThrough(fault, workload, group, announced);
      const truth = await StoredTruth.open(group);
      try {
        expect(await disagreements(truth, workload.taskIds)).toEqual([]);
        await expectTruthFromAll(group.replicas, truth, workload.taskIds);
        expect(violations(history, await evidenceOf(truth, workload.taskIds, announced))).toEqual([]);
      } finally {
        await truth.close();
      }
      expect(workload.unexpected).toEqual([]);
      expect(group.replicas.filter(({ hasCrashed }) => hasCrashed).map(({ name }) => name)).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );
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

/** Resolves when both stores know of everything that was done before. */
async function untilCaughtUp(group: ReplicaGroup, deadlineMs: number): Promise<void> {
  await untilRecovered(group, deadlineMs - performance.now());
  const truth = await StoredTruth.open(group);
  try {
    const horizon = await truth.horizon();
    const hasCaughtUp = () => truth.isProjected(horizon);
    await until('the journal is empty, and Redis told of all changes', hasCaughtUp, deadlineMs - performance.now());
  } finally {
    await truth.close();
  }
}

function answersIn(workload: Workload): Promise<boolean> {
  const enough = workload.answers + ANSWERS_IN_CALM;
  return until(`${ANSWERS_IN_CALM} answers`, () => workload.answers >= enough, AGREED_AFTER_MS);
}

/** The disagreements that are left when the time to agree is over. */
async function disagreements(truth: StoredTruth, taskIds: readonly string[]): Promise<string[]> {
  let last: string[] = [];
  const agree = async () => {
    last = await truth.disagreements(taskIds);
    return last.length === 0;
  };
  await until('both stores agree', agree, AGREED_AFTER_MS).catch(() => undefined);
  return last;
}

async function evidenceOf(truth: StoredTruth, taskIds: readonly string[], heard: AnnouncedEvents): Promise<Evidence> {
  const found = await truth.ofPostgres(taskIds);
  const gone = new Set(found.tasks.filter(({ isDeleted }) => isDeleted).map(({ taskId }) => taskId));
  const expected = [...found.taskEvents, ...found.outbox.filter((row) => !(row.superseded && gone.has(row.taskId)))];
  const haveArrived = () => {
    const ids = new Set(heard.idsOf(taskIds));
    return expected.every(({ op }) => ids.has(op));
  };
  // If one is missing, the checker names it.
  await until('the events arrive', haveArrived).catch(() => undefined);
  return { ...found, announced: heard.idsOf(taskIds) };
}

/** Every replica answers exactly what is stored of the live tasks, and that the other tasks are not found. */
async function expectTruthFromAll(
  replicas: readonly Replica[],
  truth: StoredTruth,
  taskIds: readonly string[],
): Promise<void> {
  const { stored, tasks } = await truth.ofPostgres(taskIds);
  const live = new Set(tasks.filter(({ isDeleted }) => !isDeleted).map(({ taskId }) => taskId));
  const isLive = (id: string) => live.has(id);
  for (const replica of replicas) {
    await expectTasksFrom(replica, taskIds.filter(isLive), stored);
    const answers = await answersAbout(
      replica,
      taskIds.filter((id) => !isLive(id)),
    );
    expect([replica.name, answers]).toEqual([replica.name, []]);
  }
}

async function expectTasksFrom(
  { service, name }: Replica,
  taskIds: readonly string[],
  stored: readonly StoredRow[],
): Promise<void> {
  const live = stored.filter((row) => row.name !== undefined);
  const shown = live.map((row) => ({ taskId: row.taskId, key: row.key, version: row.version, value: row.name }));
  const pages = await Promise.all(
    taskIds.map((taskId) => service.result<WireAttachmentPage>('task.list_attachments', { taskId })),
  );
  expect(pages.filter(({ degraded }) => degraded)).toEqual([]);
  expect([name, pages.flatMap(({ attachments }) => attachments)]).toMatchObject([name, shown]);
  const gets = stored.map(({ taskId, key }) => service.rpc('task.get_attachment', { taskId, key }));
  const found = (await Promise.all(gets)).flatMap(({ result }) => (result ? [result] : []));
  expect([name, found]).toMatchObject([name, shown]);
  expect(found.filter((answer) => 'degraded' in answer)).toEqual([]);
}

/** The answers about tasks that are not there, except "not found". */
async function answersAbout({ service }: Replica, taskIds: readonly string[]): Promise<unknown[]> {
  const [key] = PASSING_KEYS;
  const replies: RpcReply[] = [];
  for (const taskId of taskIds) {
    const calls: [method: string, params: object][] = [
      ['task.get', { id: taskId }],
      ['task.delete', { id: taskId }],
      ['task.list_attachments', { taskId }],
      ['task.delete_attachment', { taskId, key }],
      ['task.create_attachment', { taskId, key, type: 'json', value: 'too late' }],
    ];
    const gets = PASSING_KEYS.map((one) => service.rpc('task.get_attachment', { taskId, key: one }));
    replies.push(...(await Promise.all([...calls.map((call) => service.rpc(...call)), ...gets])));
  }
  return replies.filter((reply) => !isTaskMissing(reply));
}
