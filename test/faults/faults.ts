import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/poll';
import { withRedis } from '../support/setups';
import { backUp, createRestorePoint, recoverTo, untilArchived } from '../support/postgres-recovery';
import { AppendOnlyFiles } from './append-only-files';
import type { Span } from './history';
import { killPostgres, pausePostgres, restartPostgres, resumePostgres } from './postgres-processes';
import { RECOVERED_AFTER_MS, untilRecovered, type Replica, type ReplicaGroup } from './replica-group';
import { StoredTruth } from './stored-truth';

/** Long enough for many calls, and for several time-outs of Redis. */
const SHORT_MS = 2500;
/** If it matters what Redis has when it is back, and not for how long it is unavailable. */
const MOMENT_MS = 1000;
/** Longer than a whole call may take: a silent PostgreSQL is noticed only at the end of that time. */
const LONG_MS = 6000;
const DELAY_MS = 40;
const DROP_EVERY_MS = 300;
const RESTORE_POINT = 'a moment ago';

export interface Fault {
  readonly name: string;
  readonly lastsMs: number;
  /** Resolves with the function that ends it. */
  begin(group: ReplicaGroup): Promise<() => Promise<Damage>>;
}

/** What has been lost for good. Nothing else may be lost. */
export interface Damage {
  /** Lost is what only the journal had, up to this moment. */
  readonly lostUntilMs?: number;
  /** Lost is what PostgreSQL committed from the beginning to the end of this time. */
  readonly undone?: Span;
}

const POSTGRES_KILLED = fault('PostgreSQL is killed, and starts again', SHORT_MS, async ({ postgres }) => {
  await killPostgres(postgres);
  return () => restartPostgres(postgres);
});
const APART = onLinks('a replica is cut off from PostgreSQL, another from Redis', SHORT_MS, (replica, other) => {
  replica.toPostgres.cut();
  other.toRedis.cut();
});
const ONE_AFTER_THE_OTHER = fault(
  'Redis is killed, then PostgreSQL, and Redis is the first to start again',
  SHORT_MS,
  async (group) => {
    await group.redis.kill();
    await sleep(SHORT_MS);
    await killPostgres(group.postgres);
    await group.redis.restart();
    return () => restartPostgres(group.postgres);
  },
);

/** Each store takes writes that the other has not seen: only their versions tell which are newer. */
export const FAULTS_OF_ORDER: readonly Fault[] = [APART, ONE_AFTER_THE_OTHER];

export const FAULTS_OF_CLUSTER: readonly Fault[] = [
  POSTGRES_KILLED,
  fault('a node is killed, and starts again', SHORT_MS, async ({ redis }) => {
    await redis.kill();
    return () => redis.restart();
  }),
];

export const FAULTS: readonly Fault[] = [
  POSTGRES_KILLED,
  APART,
  ONE_AFTER_THE_OTHER,
  fault('PostgreSQL is silent', LONG_MS, async ({ postgres }) => {
    const pids = await pausePostgres(postgres);
    return () => resumePostgres(pids);
  }),
  fault('Redis is killed, and starts again', SHORT_MS, async ({ redis }) => {
    await redis.kill();
    return () => redis.restart();
  }),
  fault('Redis is silent', SHORT_MS, ({ redis }) => {
    redis.pause();
    return () => redis.resume();
  }),
  fault('both stores are killed, and start again one after the other', SHORT_MS, async ({ postgres, redis }) => {
    await Promise.all([redis.kill(), killPostgres(postgres)]);
    return async () => {
      await redis.restart();
      await restartPostgres(postgres);
    };
  }),
  fault('PostgreSQL is killed, then Redis, and PostgreSQL is the first to start again', SHORT_MS, async (group) => {
    await killPostgres(group.postgres);
    await sleep(SHORT_MS);
    await group.redis.kill();
    await restartPostgres(group.postgres);
    return () => group.redis.restart();
  }),
  fault('Redis has just forgotten all tasks, and PostgreSQL is killed', SHORT_MS, async ({ postgres, redis }) => {
    // Not in one step: of a task that is written to meanwhile, a part may stay, as with eviction.
    await withRedis(redis.url, async (client) => client.del(await client.keys('cb:task:*')));
    await killPostgres(postgres);
    return () => restartPostgres(postgres);
  }),
  fault('Redis is killed, and comes back empty', MOMENT_MS, async ({ redis }) => {
    const files = await AppendOnlyFiles.of(redis);
    await redis.kill();
    await files.remove();
    return () => redis.restart();
  }),
  fault('PostgreSQL is killed, and Redis comes back empty', MOMENT_MS, async ({ postgres, redis }) => {
    const files = await AppendOnlyFiles.of(redis);
    await killPostgres(postgres);
    await sleep(MOMENT_MS);
    await redis.kill();
    const lostUntilMs = performance.now();
    await files.remove();
    await redis.restart();
    return async () => {
      await restartPostgres(postgres);
      return { lostUntilMs };
    };
  }),
  fault('Redis comes back as it was before its journal was drained', MOMENT_MS, async (group) => {
    const { postgres, redis } = group;
    const files = await AppendOnlyFiles.of(redis);
    await killPostgres(postgres);
    await sleep(MOMENT_MS);
    await files.copy();
    await restartPostgres(postgres);
    await untilDrained(group);
    await sleep(MOMENT_MS);
    await redis.kill();
    await files.putBackCopy();
    return () => redis.restart();
  }),
  fault('a replica is killed, and another takes its place', SHORT_MS, async (group) => {
    const replica = first(group);
    await replica.kill();
    return () => replica.startAgain();
  }),
  fault('a replica stands still for seconds', LONG_MS, (group) => {
    const { service } = first(group);
    service.pause();
    return () => service.resume();
  }),
  onLinks('a replica is cut off from PostgreSQL', SHORT_MS, (replica) => replica.toPostgres.cut()),
  onLinks('a replica is cut off from Redis', SHORT_MS, (replica) => replica.toRedis.cut()),
  onLinks('a replica hears nothing from PostgreSQL, which hears it', LONG_MS, (replica) =>
    replica.toPostgres.silence('replies'),
  ),
  onLinks('a replica hears nothing from Redis, which hears it', SHORT_MS, (replica) =>
    replica.toRedis.silence('replies'),
  ),
  onLinks('what a replica sends to Redis arrives seconds late', SHORT_MS, (replica) => replica.toRedis.silence('both')),
  onLinks('what a replica sends to PostgreSQL arrives seconds late', LONG_MS, (replica) =>
    replica.toPostgres.silence('both'),
  ),
  onLinks('a replica has slow links', SHORT_MS, (replica) => {
    replica.toPostgres.delay(DELAY_MS);
    replica.toRedis.delay(DELAY_MS);
  }),
  fault('connections of a replica break before the reply', SHORT_MS, (group) => {
    const replica = first(group);
    const timer = setInterval(() => {
      replica.toPostgres.dropReplies();
      replica.toRedis.dropReplies();
    }, DROP_EVERY_MS);
    return () => clearInterval(timer);
  }),
  fault('PostgreSQL is restored to a moment ago', MOMENT_MS, async ({ postgres }) => {
    await backUp(postgres);
    const fromMs = performance.now();
    await createRestorePoint(postgres, RESTORE_POINT);
    await sleep(MOMENT_MS);
    await untilArchived(postgres);
    await killPostgres(postgres);
    const undone = { fromMs, toMs: performance.now() };
    return async () => {
      await recoverTo(postgres, RESTORE_POINT);
      return { undone };
    };
  }),
];

type End = () => Promise<Damage | void> | void;

function fault(name: string, lastsMs: number, begin: (group: ReplicaGroup) => Promise<End> | End): Fault {
  return {
    name,
    lastsMs,
    begin: async (group) => {
      const end = await begin(group);
      return async () => (await end()) ?? {};
    },
  };
}

/** On the links of the first two replicas; the third replica does not notice it. */
function onLinks(name: string, lastsMs: number, begin: (replica: Replica, other: Replica) => void): Fault {
  return fault(name, lastsMs, ({ replicas }) => {
    const [replica, other] = replicas as [Replica, Replica];
    begin(replica, other);
    return () => {
      for (const { toPostgres, toRedis } of [replica, other]) {
        toPostgres.pass();
        toRedis.pass();
      }
    };
  });
}

/** Resolves when no replica uses the journal any more and nothing is left in it. */
async function untilDrained(group: ReplicaGroup): Promise<void> {
  await untilRecovered(group);
  const truth = await StoredTruth.open(group);
  try {
    await until('the journal is empty', async () => (await truth.waiting()) === 0, RECOVERED_AFTER_MS);
  } finally {
    await truth.close();
  }
}

function first({ replicas }: ReplicaGroup): Replica {
  return replicas[0] as Replica;
}
