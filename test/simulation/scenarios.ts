import type { Blockage } from './connection';
import {
  REPLICAS,
  type Fault,
  type PlanFrame,
  type RedisRestart,
  type Replacement,
  type Scenario,
  type ServerName,
} from './plan';
import type { Random } from './random';

const LOSSY = { lossShare: 0.03, slowShare: 0.08, slowMs: 2500 };
const SLOW = { lossShare: 0, slowShare: 0.15, slowMs: 900 };
/** Within what the cache allows for, and beyond it. */
const SKEW_MS = 45;
const WILD_SKEW_MS = 400;

/** Each is made of the same parts: who fails, how, how long, and how unlike the clocks are. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'no faults' },
  { name: 'few hot keys', taskCount: 1, keyCount: 2, burstShare: 0.9, operationCount: [30, 60], clockSkewMs: SKEW_MS },
  { name: 'lossy network', weather: LOSSY, clockSkewMs: SKEW_MS },
  { name: 'redis out', clockSkewMs: SKEW_MS, faults: several(2, redisOut(['same'])) },
  {
    name: 'redis refuses',
    clockSkewMs: SKEW_MS,
    faults: both(several(3, refusal), several(2, linkCut), several(1, postgresOut)),
  },
  { name: 'postgres out', clockSkewMs: SKEW_MS, faults: several(2, postgresOut) },
  { name: 'both out', clockSkewMs: SKEW_MS, faults: both(several(2, redisOut(['same'])), several(2, postgresOut)) },
  { name: 'links cut', clockSkewMs: SKEW_MS, faults: several(6, linkCut) },
  {
    name: 'redis back empty',
    weather: SLOW,
    clockSkewMs: SKEW_MS,
    faults: both(several(3, redisOut(['empty'])), several(1, postgresOut), several(2, linkCut)),
  },
  {
    name: 'redis back old',
    weather: SLOW,
    clockSkewMs: SKEW_MS,
    floorSkewMs: [100, 1000],
    faults: both(several(3, redisOut(['old'])), several(1, postgresOut), several(2, linkCut), several(3, crash)),
  },
  {
    name: 'crashes',
    weather: SLOW,
    clockSkewMs: SKEW_MS,
    faults: both(several(6, crash), several(2, linkCut), several(1, postgresOut)),
  },
  {
    name: 'eviction',
    weather: SLOW,
    clockSkewMs: SKEW_MS,
    cacheTtlMs: 1500,
    faults: both(several(12, eviction), several(2, postgresOut)),
  },
  {
    name: 'time to live',
    clockSkewMs: SKEW_MS,
    ttlShare: 0.5,
    faults: both(several(2, postgresOut), several(2, linkCut)),
  },
  {
    name: 'refused for good',
    clockSkewMs: SKEW_MS,
    refusedShare: 0.4,
    lockedShare: 0.3,
    faults: both(several(3, postgresOut), several(2, linkCut)),
  },
  {
    name: 'puts in groups',
    clockSkewMs: SKEW_MS,
    burstShare: 0.95,
    taskCount: 2,
    keyCount: 4,
    operationCount: [40, 70],
    weights: { create: 60, get: 20 },
    lockedShare: 0.15,
    faults: both(several(2, postgresOut), several(3, crash), several(2, linkCut)),
  },
  { name: 'nats out', faults: both(several(3, natsOut), several(2, crash)), weather: { lossShare: 0.02 } },
  {
    name: 'wild clocks',
    weather: SLOW,
    clockSkewMs: WILD_SKEW_MS,
    faults: both(several(5, linkCut), several(2, postgresOut)),
  },
  {
    name: 'clocks far apart',
    clockSkewMs: 8000,
    maxChoices: 2,
    ttlShare: 0.6,
    taskCount: 1,
    keyCount: 2,
    weights: { create: 40 },
    faults: both(several(6, linkCut), several(1, postgresOut)),
  },
  {
    name: 'forgetful redis',
    weather: { lossShare: 0.03, slowShare: 0.15, slowMs: 900 },
    clockSkewMs: 450,
    floorSkewMs: [1000],
    burstShare: 0.9,
    taskCount: 1,
    keyCount: 2,
    operationCount: [30, 60],
    weights: { get: 40, delete: 30 },
    faults: both(several(30, lostControl), several(5, linkCut)),
  },
  {
    name: 'control lost, one replica without postgres',
    clockSkewMs: 450,
    floorSkewMs: [1000],
    burstShare: 0.9,
    taskCount: 1,
    keyCount: 2,
    operationCount: [40, 70],
    weights: { create: 40, get: 50, delete: 10, list: 0, batch: 0 },
    faults: both(several(30, lostControl), withoutPostgres),
  },
  {
    name: 'backlog',
    clockSkewMs: SKEW_MS,
    burstShare: 0.8,
    operationCount: [40, 70],
    weights: { create: 40, delete: 25 },
    batchSizes: [1],
    faults: both(several(1, longPostgresOutage), several(2, linkCut)),
  },
  {
    name: 'coarse clocks',
    clockSkewMs: SKEW_MS,
    clockStepMs: 500,
    burstShare: 0.8,
    floorSkewMs: [1000],
    faults: both(several(3, linkCut), several(1, postgresOut)),
  },
  {
    name: 'slow replies across a reconnect',
    weather: { ...SLOW, slowShare: 0.3 },
    burstShare: 0.7,
    floorSkewMs: [100, 2000],
    taskCount: 1,
    keyCount: 2,
    faults: both(several(10, flicker), several(6, reconnect)),
  },
  {
    name: 'small memory',
    memorySize: 2,
    clockSkewMs: SKEW_MS,
    faults: both(several(4, linkCut), several(1, postgresOut), several(1, redisOut(['same']))),
  },
  {
    name: 'long transactions',
    longTransactionShare: 0.3,
    weather: { lossShare: 0.05 },
    weights: { list: 30 },
    clockSkewMs: SKEW_MS,
    faults: both(several(3, linkCut), several(2, crash)),
  },
  {
    name: 'tasks deleted',
    weather: { lossShare: 0.02, slowShare: 0.1, slowMs: 900 },
    weights: { 'delete-task': 12, 'create-task': 3, 'complete-task': 5 },
    clockSkewMs: SKEW_MS,
    faults: both(several(4, linkCut), several(2, postgresOut), several(2, redisOut(['same', 'old']))),
  },
  {
    name: 'trees deleted',
    isTree: true,
    taskCount: 8,
    weather: { lossShare: 0.02, slowShare: 0.1, slowMs: 900 },
    weights: { 'delete-task': 10, 'create-task': 3, 'complete-task': 3 },
    clockSkewMs: SKEW_MS,
    faults: both(
      several(4, linkCut),
      several(2, postgresOut),
      several(2, redisOut(['same', 'old'])),
      several(2, crash),
    ),
  },
  {
    name: 'trees deleted by several replicas',
    isTree: true,
    taskCount: 8,
    weather: { lossShare: 0.01, slowShare: 0.2, slowMs: 900 },
    burstShare: 0.85,
    operationCount: [10, 20],
    weights: { create: 4, delete: 0, 'delete-task': 10, get: 0, list: 0 },
    readsAfterDeletion: 60,
    clockSkewMs: SKEW_MS,
    faults: both(several(4, redisCut), several(1, postgresOut)),
  },
  {
    name: 'standby promoted',
    clockSkewMs: SKEW_MS,
    faults: both(several(2, replaced(['promoted'])), several(2, postgresOut), several(1, linkCut)),
  },
  {
    name: 'backup restored',
    weather: SLOW,
    clockSkewMs: SKEW_MS,
    burstShare: 0.6,
    weights: { 'delete-task': 4, 'create-task': 2 },
    faults: both(several(2, replaced(['restored low', 'restored high'])), several(2, linkCut), several(1, crash)),
  },
  {
    name: 'disk rolled back',
    clockSkewMs: SKEW_MS,
    faults: both(several(2, replaced(['rolled back'])), several(1, linkCut)),
  },
  {
    name: 'restored while the journal waits',
    clockSkewMs: SKEW_MS,
    burstShare: 0.7,
    operationCount: [30, 60],
    weights: { create: 40, delete: 25 },
    batchSizes: [1, 2],
    faults: both(
      several(2, postgresOut),
      several(2, replaced(['promoted', 'restored low'])),
      several(3, linkCut),
      several(1, redisOut(['same', 'old', 'empty'])),
    ),
  },
  {
    name: 'journal carried over',
    burstShare: 0.5,
    taskCount: 1,
    keyCount: 3,
    operationCount: [40, 70],
    lockedShare: 0.6,
    weights: { create: 40, get: 50, delete: 5 },
    faults: overwrittenUnseen,
  },
  {
    name: 'old primary alive',
    clockSkewMs: SKEW_MS,
    burstShare: 0.6,
    weights: { create: 40 },
    faults: both(several(2, leftBehind(false)), several(2, linkCut), several(1, crash)),
  },
  {
    name: 'sessions to two servers',
    clockSkewMs: SKEW_MS,
    burstShare: 0.6,
    weights: { create: 40 },
    faults: both(several(1, leftBehind(true)), several(2, linkCut), several(1, crash)),
  },
  { name: 'old primary alone', operationCount: [20, 30], faults: leftAlone },
  {
    name: 'restored low',
    burstShare: 0.7,
    operationCount: [40, 70],
    weights: { create: 45 },
    weather: { lossShare: 0.03 },
    faults: both(several(2, replaced(['restored low'])), several(4, linkCut)),
  },
  {
    name: 'both replaced',
    clockSkewMs: SKEW_MS,
    burstShare: 0.5,
    weights: { create: 40, get: 40 },
    faults: both(
      several(2, postgresOut),
      several(2, replaced(['promoted', 'restored low'])),
      several(3, redisOut(['same'])),
      several(1, linkCut),
    ),
  },
  {
    name: 'astray without a database',
    clockSkewMs: SKEW_MS,
    faults: both(several(3, strayOutage), several(1, shortLinkCut)),
  },
  {
    name: 'astray and alone',
    operationCount: [20, 30],
    faults: strayAlone,
  },
  {
    name: 'replica astray',
    clockSkewMs: SKEW_MS,
    faults: both(several(3, astray), several(1, shortLinkCut)),
  },
  {
    name: 'everything at once',
    weather: LOSSY,
    clockSkewMs: SKEW_MS,
    ttlShare: 0.15,
    refusedShare: 0.1,
    lockedShare: 0.1,
    longTransactionShare: 0.05,
    cacheTtlMs: 5000,
    floorSkewMs: [100, 1000],
    faults: both(
      several(2, redisOut(['same', 'empty', 'old'])),
      several(2, postgresOut),
      several(1, natsOut),
      several(3, linkCut),
      several(2, crash),
      several(4, eviction),
      several(2, reconnect),
      several(1, refusal),
    ),
  },
];

type FaultMaker = (random: Random, frame: PlanFrame) => Fault;
type FaultsMaker = NonNullable<Scenario['faults']>;

function several(max: number, make: FaultMaker): FaultsMaker {
  return (random, frame) => Array.from({ length: random.between(1, max) }, () => make(random, frame));
}

function both(...makers: readonly FaultsMaker[]): FaultsMaker {
  return (random, frame) => makers.flatMap((make) => make(random, frame));
}

function redisOut(restarts: readonly RedisRestart[]): FaultMaker {
  return (random, frame) => ({
    kind: 'redis',
    restart: random.pick(restarts),
    ageMs: random.chance(0.5) ? random.int(300) : random.int(4000),
    blockage: 'refused',
    ...period(random, frame, random.chance(0.4) ? 100 : 3000),
  });
}

/** Redis restarts in next to no time, with what it had a moment ago. */
function flicker(random: Random, frame: PlanFrame): Fault {
  const fault = { kind: 'redis', restart: 'old', ageMs: random.int(250), blockage: 'refused' } as const;
  return { ...fault, ...period(random, frame, 15) };
}

function refusal(random: Random, frame: PlanFrame): Fault {
  return {
    kind: 'refusal',
    replica: random.chance(0.5) ? random.int(REPLICAS) : undefined,
    share: random.pick([0.6, 1]),
    outcome: random.pick(['failed', 'unavailable'] as const),
    ...period(random, frame, 5000),
  };
}

function postgresOut(random: Random, frame: PlanFrame): Fault {
  return { kind: 'postgres', blockage: blockage(random), ...period(random, frame, 4000) };
}

/** From early on, so that the journal fills. */
function longPostgresOutage(random: Random, { durationMs }: PlanFrame): Fault {
  const fromMs = 300 + random.int(1000);
  const toMs = fromMs + Math.floor(durationMs * (0.4 + 0.4 * random.next()));
  return { kind: 'postgres', blockage: 'refused', fromMs, toMs };
}

function natsOut(random: Random, frame: PlanFrame): Fault {
  return { kind: 'nats', blockage: blockage(random), ...period(random, frame, 3000) };
}

function linkCut(random: Random, frame: PlanFrame): Fault {
  return cutFrom(random.weighted({ postgres: 5, redis: 5, nats: 1 }), random, frame);
}

function redisCut(random: Random, frame: PlanFrame): Fault {
  return cutFrom('redis', random, frame);
}

function cutFrom(server: ServerName, random: Random, frame: PlanFrame): Fault {
  return {
    kind: 'link',
    server,
    replica: random.int(REPLICAS),
    blockage: blockage(random),
    ...period(random, frame, 4000),
  };
}

/** One replica has no PostgreSQL from early on, so that it journals what the others write through. */
function withoutPostgres(random: Random, { durationMs }: PlanFrame): readonly Fault[] {
  const replica = random.int(REPLICAS);
  return [{ kind: 'link', server: 'postgres', replica, blockage: 'refused', fromMs: 300, toMs: durationMs }];
}

function crash(random: Random, frame: PlanFrame): Fault {
  return { kind: 'crash', replica: random.int(REPLICAS), ...period(random, frame, 600) };
}

function reconnect(random: Random, { durationMs }: PlanFrame): Fault {
  return { kind: 'reconnect', replica: random.int(REPLICAS), fromMs: 200 + random.int(durationMs) };
}

function eviction(random: Random, { durationMs, taskIds, keys }: PlanFrame): Fault {
  return {
    kind: 'evict',
    piece: random.pick(['control', 'index', 'index-entry', 'hash'] as const),
    taskId: random.pick(taskIds),
    key: random.pick(keys),
    fromMs: 200 + random.int(durationMs),
  };
}

function lostControl(random: Random, frame: PlanFrame): Fault {
  return { ...eviction(random, frame), piece: 'control' } as Fault;
}

function replaced(ways: readonly Replacement[]): FaultMaker {
  return (random, { durationMs }) => ({
    kind: 'replace',
    how: random.pick(ways),
    ageMs: random.chance(0.3) ? 0 : random.int(random.chance(0.5) ? 400 : 3000),
    fromMs: 400 + random.int(durationMs),
  });
}

/** What is journaled is overwritten while Redis is out, and then PostgreSQL is replaced before Redis is back. */
function overwrittenUnseen(random: Random, { durationMs }: PlanFrame): readonly Fault[] {
  const fromMs = 400 + random.int(Math.floor(durationMs / 2));
  const postgresBackMs = fromMs + 1500;
  const redisBackMs = postgresBackMs + 2000;
  return [
    { kind: 'postgres', blockage: 'refused', fromMs, toMs: postgresBackMs },
    { kind: 'redis', blockage: 'refused', restart: 'same', ageMs: 0, fromMs: postgresBackMs - 20, toMs: redisBackMs },
    { kind: 'replace', how: 'restored low', ageMs: 0, fromMs: redisBackMs - random.int(900) },
  ];
}

/** One replica goes on with the server that the others have left, with all of its sessions or, if mixed, with some. */
function leftBehind(isMixed: boolean): FaultMaker {
  return (random, frame) => ({
    ...(replaced(['promoted', 'restored low', 'restored high'])(random, frame) as Fault & { kind: 'replace' }),
    left: { replica: random.int(REPLICAS), forMs: 200 + random.int(3000), isMixed },
  });
}

/** One replica is started with the address of a copy, or of another database. */
function astray(random: Random, frame: PlanFrame): Fault {
  const to = random.pick(['copy', 'other database'] as const);
  return { kind: 'astray', replica: random.int(REPLICAS), to, ageMs: random.int(1500), ...period(random, frame, 4000) };
}

/** A replica is started with another database, and all others are stopped for longer than they may be silent. */
function strayAlone(random: Random, { durationMs }: PlanFrame): readonly Fault[] {
  const astray = random.int(REPLICAS);
  const fromMs = 300 + random.int(durationMs);
  const others = [0, 1, 2].filter((replica) => replica !== astray);
  return [
    ...others.map((replica) => ({ kind: 'crash' as const, replica, fromMs, toMs: fromMs + 14_000 })),
    { kind: 'astray', replica: astray, to: 'other database', ageMs: 0, fromMs: fromMs + 100, toMs: fromMs + 13_000 },
  ];
}

/** A replica goes on with the server that the others have left, and these are stopped until they count as gone. */
function leftAlone(random: Random, frame: PlanFrame): readonly Fault[] {
  const replacement = leftBehind(false)(random, frame) as Fault & { kind: 'replace' };
  const { fromMs } = replacement;
  const left = replacement.left as NonNullable<typeof replacement.left>;
  const others = [0, 1, 2].filter((replica) => replica !== left.replica);
  return [
    { ...replacement, left: { ...left, forMs: 14_000 } },
    ...others.map((replica) => ({
      kind: 'crash' as const,
      replica,
      fromMs: fromMs + 100 + random.int(900),
      toMs: fromMs + 13_000,
    })),
  ];
}

/** A replica is started with a wrong address, at which nothing answers. */
function strayOutage(random: Random, frame: PlanFrame): Fault {
  return { ...(astray(random, frame) as Fault & { kind: 'astray' }), isSilent: true };
}

function shortLinkCut(random: Random, frame: PlanFrame): Fault {
  return { ...linkCut(random, frame), ...period(random, frame, 500) };
}

function period(random: Random, { durationMs }: PlanFrame, maxMs: number) {
  const fromMs = 200 + random.int(durationMs);
  return { fromMs, toMs: fromMs + 5 + random.int(maxMs) };
}

function blockage(random: Random): Blockage {
  return random.chance(0.6) ? 'refused' : 'silent';
}
