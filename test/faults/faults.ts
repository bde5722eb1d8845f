import { setTimeout as sleep } from 'node:timers/promises';
import { withRedis } from '../support/setups';
import { killPostgres, pausePostgres, restartPostgres, resumePostgres } from './postgres-processes';
import type { Replica, ReplicaGroup } from './replica-group';

/** Long enough that clients meet it many times, and several time-outs of Redis. */
const SHORT_MS = 2500;
/** Longer than a whole call may take: silence of PostgreSQL shows only when its time is over. */
const LONG_MS = 6000;
const DELAY_MS = 40;
const DROP_EVERY_MS = 300;

export interface Fault {
  readonly name: string;
  readonly lastsMs: number;
  /** Resolves with what ends it. */
  begin(group: ReplicaGroup): Promise<() => Promise<void>>;
}

export const FAULTS: readonly Fault[] = [
  fault('PostgreSQL is killed, and starts again', SHORT_MS, async ({ postgres }) => {
    await killPostgres(postgres);
    return () => restartPostgres(postgres);
  }),
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
  fault('Redis is killed, then PostgreSQL, and Redis is the first to start again', SHORT_MS, async (group) => {
    await group.redis.kill();
    await sleep(SHORT_MS);
    await killPostgres(group.postgres);
    await group.redis.restart();
    return () => restartPostgres(group.postgres);
  }),
  fault('Redis has just forgotten all tasks, and PostgreSQL is killed', SHORT_MS, async ({ postgres, redis }) => {
    await withRedis(redis.url, async (client) => client.del(await client.keys('cb:task:*')));
    await killPostgres(postgres);
    return () => restartPostgres(postgres);
  }),
  fault('a replica is killed, and another takes its place', SHORT_MS, async (group) => {
    const replica = first(group);
    await replica.kill();
    return () => replica.startAgain();
  }),
  fault('a replica stands still for seconds', LONG_MS, (group) => {
    const { service } = first(group);
    service.signal('SIGSTOP');
    return () => service.signal('SIGCONT');
  }),
  onLinks('a replica is cut off from PostgreSQL', SHORT_MS, (replica) => replica.toPostgres.cut()),
  onLinks('a replica is cut off from Redis', SHORT_MS, (replica) => replica.toRedis.cut()),
  onLinks('a replica is cut off from PostgreSQL, another from Redis', SHORT_MS, (replica, other) => {
    replica.toPostgres.cut();
    other.toRedis.cut();
  }),
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
];

type End = () => Promise<void> | void;

function fault(name: string, lastsMs: number, begin: (group: ReplicaGroup) => Promise<End> | End): Fault {
  return {
    name,
    lastsMs,
    begin: async (group) => {
      const end = await begin(group);
      return async () => end();
    },
  };
}

/** Of the first two replicas: the third one never knows of it. */
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

function first({ replicas }: ReplicaGroup): Replica {
  return replicas[0] as Replica;
}
