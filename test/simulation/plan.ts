import type { Blockage, Weather } from './connection';
import type { Random } from './random';

export const REPLICAS = 3;
export const ORGANIZATIONS = ['default', 'acme'] as const;
/** The organisation of all clients and tasks, unless the scenario has several. */
export const [HOME, FOREIGN] = ORGANIZATIONS;

export type ServerName = 'postgres' | 'redis' | 'nats';
export type RedisRestart = 'same' | 'empty' | 'old';
export type Piece = 'control' | 'index' | 'index-entry' | 'hash';

/**
 * What comes in the place of the server: a promoted standby, a dump restored elsewhere, or its own disk of a while ago.
 */
export type Replacement = 'promoted' | 'restored low' | 'restored high' | 'rolled back';

export type OperationKind =
  | 'create'
  | 'create-if-absent'
  | 'create-if-version'
  | 'delete'
  | 'delete-if-version'
  | 'get'
  | 'batch'
  | 'list'
  | 'create-task'
  | 'complete-task'
  | 'delete-task';

/** What one client does. What depends on earlier answers is decided when it begins. */
export interface PlannedOperation {
  readonly id: number;
  readonly kind: OperationKind;
  readonly atMs: number;
  readonly replica: number;
  readonly organization: string;
  readonly taskId: string;
  /** Of a creation. */
  readonly parentId?: string;
  readonly key: string;
  readonly ttlSeconds?: number;
  /** Of a list. */
  readonly page?: {
    readonly limit: number;
    readonly offset: number;
    readonly includeBodies: boolean;
    readonly descending: boolean;
    readonly keyPrefix: string;
  };
  /** The store refuses for good to take it from the journal. */
  readonly isRefused?: boolean;
}

export type Fault =
  | ({
      readonly kind: 'redis';
      readonly blockage: Blockage;
      readonly restart: RedisRestart;
      readonly ageMs: number;
    } & Period)
  | ({ readonly kind: 'postgres' | 'nats'; readonly blockage: Blockage } & Period)
  | ({
      readonly kind: 'link';
      readonly server: ServerName;
      readonly replica: number;
      readonly blockage: Blockage;
    } & Period)
  | Refusal
  | ({ readonly kind: 'crash'; readonly replica: number } & Period)
  | {
      readonly kind: 'replace';
      readonly how: Replacement;
      readonly ageMs: number;
      readonly fromMs: number;
      /** This replica goes on with the old server for a while. */
      readonly left?: {
        readonly replica: number;
        readonly forMs: number;
        /** Only some of its sessions lead to the old server. */
        readonly isMixed: boolean;
      };
    }
  | ({
      readonly kind: 'astray';
      readonly replica: number;
      readonly to: 'copy' | 'other database';
      readonly ageMs: number;
      /** Nothing answers there. */
      readonly isSilent?: boolean;
    } & Period)
  | { readonly kind: 'reconnect'; readonly replica: number; readonly fromMs: number }
  | {
      readonly kind: 'evict';
      readonly piece: Piece;
      readonly taskId: string;
      readonly key: string;
      readonly fromMs: number;
    };

/** Redis reads, and refuses to change anything: it is full, cannot save, or has become a replica. */
export interface Refusal extends Period {
  readonly kind: 'refusal';
  /** Whose commands; undefined: those of all replicas. */
  readonly replica?: number;
  /** Of the commands that would change something: a full Redis still takes those that begin with removing something. */
  readonly share: number;
  readonly outcome: 'failed' | 'unavailable';
}

interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How a kind of schedule is made. */
export interface Scenario {
  readonly name: string;
  readonly weather?: Partial<Weather>;
  /** At most this far apart from the servers' clock, either way. */
  readonly clockSkewMs?: number;
  readonly clockStepMs?: number;
  /** Of every random number, so that versions meet. */
  readonly maxChoices?: number;
  /** By how much the floor of a task is put ahead of the clock when the cache may have forgotten something. */
  readonly floorSkewMs?: readonly number[];
  readonly cacheTtlMs?: number;
  readonly memorySize?: number;
  readonly taskCount?: number;
  /** Every task but the first is a sub-task of an earlier one. */
  readonly isTree?: boolean;
  readonly keyCount?: number;
  readonly operationCount?: readonly [min: number, max: number];
  /** Of the time between two operations, the share that is next to nothing. */
  readonly burstShare?: number;
  readonly batchSizes?: readonly number[];
  readonly ttlShare?: number;
  readonly refusedShare?: number;
  /** Share of attempts to drain an entry that find what it needs held by others. */
  readonly lockedShare?: number;
  readonly foreignShare?: number;
  /** Share of transactions that stay open for long. */
  readonly longTransactionShare?: number;
  readonly weights?: Partial<Record<OperationKind, number>>;
  /** How often the client that deletes a task looks whether something of the tasks is still there. */
  readonly readsAfterDeletion?: number;
  faults?(random: Random, plan: PlanFrame): readonly Fault[];
}

export interface PlanFrame {
  readonly durationMs: number;
  readonly taskIds: readonly string[];
  readonly keys: readonly string[];
}

/** Everything that is decided before a schedule runs. The rest is the network's, by `networkSeed`. */
export interface Plan extends PlanFrame {
  readonly scenario: Scenario;
  readonly networkSeed: number;
  readonly weather: Weather;
  readonly skewsMs: readonly number[];
  readonly clockStepMs: number;
  readonly floorSkewMs: number;
  /** How many things are told of at once: journal entries, changes, events. */
  readonly batchSize: number;
  readonly operations: readonly PlannedOperation[];
  readonly faults: readonly Fault[];
}

const DEFAULT_WEIGHTS: Record<OperationKind, number> = {
  create: 26,
  'create-if-absent': 3,
  'create-if-version': 5,
  delete: 16,
  'delete-if-version': 5,
  get: 24,
  batch: 6,
  list: 14,
  'create-task': 0,
  'complete-task': 2,
  'delete-task': 1,
};
/** Clients that come back, and a key that all clients want, make meetings more common than chance does. */
const SAME_REPLICA_SHARE = 0.5;
/** Every replica is ready by then, or a task would be asked for before the one above it. */
const TREE_START_MS = 1000;
const TREE_PAUSE_MS = 60;
/** Of a deletion and the time after it. */
const READING_MS = 2500;
const HOT_SHARE = 0.5;
const KEYS = ['a', 'ab', 'b', 'c'];
const FAIR: Weather = { delayMs: 12, lossShare: 0, slowShare: 0, slowMs: 0 };

export function planOf(scenario: Scenario, seed: number, random: Random): Plan {
  const taskIds = Array.from({ length: random.between(1, scenario.taskCount ?? 3) }, (_, i) => `t${i + 1}`);
  const keys = KEYS.slice(0, random.between(2, scenario.keyCount ?? 4));
  const operations = operationsOf(scenario, random, taskIds, keys);
  const durationMs = Math.max(...operations.map(({ atMs }) => atMs)) + 500;
  const frame = { durationMs, taskIds, keys };
  const maxSkewMs = scenario.clockSkewMs ?? 0;
  return {
    ...frame,
    scenario,
    networkSeed: seed,
    weather: { ...FAIR, ...scenario.weather },
    skewsMs: Array.from({ length: REPLICAS }, () => random.between(-maxSkewMs, maxSkewMs)),
    clockStepMs: scenario.clockStepMs ?? 1,
    floorSkewMs: random.pick(scenario.floorSkewMs ?? [100]),
    batchSize: random.pick(scenario.batchSizes ?? [2, 3, 100]),
    operations,
    faults: scenario.faults?.(random, frame) ?? [],
  };
}

function operationsOf(
  scenario: Scenario,
  random: Random,
  taskIds: readonly string[],
  keys: readonly string[],
): PlannedOperation[] {
  const creations = taskIds.map((taskId, i) => ({
    id: i + 1,
    kind: 'create-task' as const,
    atMs: (scenario.isTree ? TREE_START_MS + i * TREE_PAUSE_MS : 0) + 10 + random.int(50),
    replica: random.int(REPLICAS),
    organization: random.chance(0.2) && !scenario.isTree ? FOREIGN : HOME,
    taskId,
    parentId: scenario.isTree && i > 0 ? taskIds[random.int(i)] : undefined,
    key: random.pick(keys),
  }));
  const [min, max] = scenario.operationCount ?? [20, 50];
  const weights = { ...DEFAULT_WEIGHTS, ...scenario.weights };
  let atMs = 200 + (scenario.isTree ? TREE_START_MS + taskIds.length * TREE_PAUSE_MS : 0);
  let replica = 0;
  const others = Array.from({ length: random.between(min, max) }, (_, i) => {
    atMs += random.chance(scenario.burstShare ?? 0.4) ? random.int(25) : 30 + random.int(400);
    if (!random.chance(SAME_REPLICA_SHARE)) replica = random.int(REPLICAS);
    const isHot = random.chance(HOT_SHARE);
    const task = isHot ? (creations[0] as (typeof creations)[number]) : random.pick(creations);
    const isForeign = random.chance(scenario.foreignShare ?? 0.02);
    return {
      id: creations.length + i + 1,
      kind: random.weighted(weights),
      atMs,
      replica,
      organization: isForeign ? other(task.organization) : task.organization,
      taskId: task.taskId,
      parentId: task.parentId,
      key: isHot ? (keys[0] as string) : random.pick(keys),
      ttlSeconds: random.chance(scenario.ttlShare ?? 0.05) ? random.between(1, 4) : undefined,
      page: pageOf(random),
      isRefused: random.chance(scenario.refusedShare ?? 0),
    };
  });
  const writes = [...creations, ...others];
  const deletions = others.filter(({ kind }) => kind === 'delete-task');
  const reads = deletions.flatMap((deletion) =>
    Array.from({ length: scenario.readsAfterDeletion ?? 0 }, () => ({
      ...random.pick(creations),
      kind: 'get' as const,
      atMs: deletion.atMs + random.int(READING_MS),
      replica: deletion.replica,
    })),
  );
  return [...writes, ...reads.map((read, i) => ({ ...read, id: writes.length + i + 1 }))];
}

function pageOf(random: Random): PlannedOperation['page'] {
  const isWhole = random.chance(0.6);
  return {
    limit: isWhole ? 50 : random.between(1, 3),
    offset: isWhole ? 0 : random.int(2),
    includeBodies: random.chance(0.6),
    descending: random.chance(0.3),
    keyPrefix: random.chance(0.2) ? 'a' : '',
  };
}

function other(organization: string): string {
  return organization === HOME ? FOREIGN : HOME;
}
