import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/poll';
import type { WireAttachmentPage } from '../support/wire-values';
import { AnnouncedEvents } from './announced-events';
import { FAULTS, type Fault } from './faults';
import type { CalmSpan } from './history';
import { violations } from './history-checker';
import { startReplicas, untilRecovered, type ReplicaGroup } from './replica-group';
import { SeededRandom } from './seeded-random';
import { StoredTruth } from './stored-truth';
import { Workload } from './workload';

/** Every fault so many times, each time with another workload. */
const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1);
const FIRST_SEED = Number(process.env['FAULT_SEED'] ?? 1);
const REPLICAS = 3;
const TASKS = 2;
const KEYS = Array.from({ length: 12 }, (_, i) => `key-${i}`);

/** How long after a fault the stores may differ, and how long answers may be stale. */
const AGREED_AFTER_MS = 20_000;
const FRESH_AFTER_MS = 5000;
/** How many answers are given before the fault, and again when all is well. */
const ANSWERS_IN_CALM = 60;
const TEST_TIMEOUT_MS = 90_000;

const CASES = Array.from({ length: ROUNDS }, (_, round) =>
  FAULTS.map((fault, i) => ({ name: fault.name, fault, seed: FIRST_SEED + round * FAULTS.length + i })),
).flat();

describe('nothing acknowledged is lost or undone, nothing older is answered, while', () => {
  let group: ReplicaGroup;
  let announced: AnnouncedEvents;

  beforeAll(async () => {
    group = await startReplicas(REPLICAS);
    announced = await AnnouncedEvents.follow(group.nats.url);
  }, TEST_TIMEOUT_MS);
  afterAll(async () => {
    await announced?.stop();
    await group?.close();
  });

  it.each(CASES)(
    '$name (seed $seed)',
    async ({ fault, seed }) => {
      await untilRecovered(group, AGREED_AFTER_MS);
      const taskIds = Array.from({ length: TASKS }, (_, i) => `task-${seed}-${i}`);
      for (const id of taskIds) await group.replicas[0]?.service.result('task.create', { id, text: 'x' });
      const refs = KEYS.flatMap((key) => taskIds.map((taskId) => ({ taskId, key })));
      const workload = new Workload(group.replicas, refs, new SeededRandom(seed));
      const calm = await workThrough(fault, workload);

      const truth = await StoredTruth.open(group.databaseUrl, group.redis.url);
      try {
        expect(await disagreements(truth, taskIds)).toEqual([]);
        await expectTruthFromAll(truth, taskIds);
        const [stored, outbox] = await Promise.all([truth.rows(taskIds), truth.outbox(taskIds)]);
        const haveArrived = () => outbox.every(({ op }) => announced.idsOf(taskIds).includes(op));
        // If not, the checker says which.
        await until('the events arrive', haveArrived).catch(() => undefined);
        const evidence = { stored, outbox, announced: announced.idsOf(taskIds) };
        expect(violations({ ...workload, calm }, evidence)).toEqual([]);
      } finally {
        await truth.close();
      }
      expect(workload.unexpected).toEqual([]);
      expect(group.replicas.filter(({ hasCrashed }) => hasCrashed).map(({ name }) => name)).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  /** Resolves with the time in which no answer may be stale. */
  async function workThrough(fault: Fault, workload: Workload): Promise<CalmSpan[]> {
    const beganAtMs = performance.now();
    workload.start();
    try {
      await answersIn(workload);
      const before = { fromMs: beganAtMs, toMs: performance.now() };
      const end = await fault.begin(group);
      await sleep(fault.lastsMs).finally(end);
      const endedAtMs = performance.now();
      await untilCaughtUp(endedAtMs + AGREED_AFTER_MS);
      const calmAtMs = Math.min(performance.now(), endedAtMs + FRESH_AFTER_MS);
      await answersIn(workload);
      return [before, { fromMs: calmAtMs, toMs: Infinity }];
    } finally {
      await workload.stop();
    }
  }

  /** All that was done before is in both stores. */
  async function untilCaughtUp(deadlineMs: number): Promise<void> {
    await untilRecovered(group, deadlineMs - performance.now());
    const truth = await StoredTruth.open(group.databaseUrl, group.redis.url);
    try {
      const horizon = await truth.horizon();
      const hasCaughtUp = () => truth.isProjected(horizon);
      await until('the journal is empty, and Redis told of all changes', hasCaughtUp, deadlineMs - performance.now());
    } finally {
      await truth.close();
    }
  }

  /** Gets and lists of every replica answer exactly what is stored. */
  async function expectTruthFromAll(truth: StoredTruth, taskIds: readonly string[]): Promise<void> {
    const stored = await truth.rows(taskIds);
    const live = stored.filter(({ name }) => name !== undefined);
    const shown = live.map(({ taskId, key, version, name }) => ({ taskId, key, version, value: name }));
    for (const { service, name } of group.replicas) {
      const pages = await Promise.all(
        taskIds.map((taskId) => service.result<WireAttachmentPage>('task.list_attachments', { taskId })),
      );
      expect([name, pages.flatMap(({ attachments }) => attachments)]).toMatchObject([name, shown]);
      const gets = stored.map(({ taskId, key }) => service.rpc('task.get_attachment', { taskId, key }));
      const found = (await Promise.all(gets)).flatMap(({ result }) => (result ? [result] : []));
      expect([name, found]).toMatchObject([name, shown]);
      expect([...pages, ...found].filter((answer) => 'degraded' in answer)).toEqual([]);
    }
  }
});

function answersIn(workload: Workload): Promise<boolean> {
  const enough = workload.answers + ANSWERS_IN_CALM;
  return until(`${ANSWERS_IN_CALM} answers`, () => workload.answers >= enough, AGREED_AFTER_MS);
}

/** Those that are left when all time to agree is over. */
async function disagreements(truth: StoredTruth, taskIds: readonly string[]): Promise<string[]> {
  let last: string[] = [];
  const agree = async () => {
    last = await truth.disagreements(taskIds);
    return last.length === 0;
  };
  await until('both stores agree', agree, AGREED_AFTER_MS).catch(() => undefined);
  return last;
}
