import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNats, type NatsServer } from '../../test/support/nats-server';
import { startPostgres } from '../../test/support/postgres-server';
import { startRedis, startRedisCluster, type RedisServer } from '../../test/support/redis-server';
import { creation, taskCreation } from '../load/dataset';
import { atMost, type Outcome } from '../report/goal';
import { quantile } from '../report/statistics';
import { RpcClient } from '../rpc-client';
import { RedisCommandCounter } from '../servers/redis-command-counter';
import { ServerProcess } from '../servers/server-process';
import { withServer } from '../servers/with-servers';
import type { Scene } from './scene';

/** What a start leaves to do is done by then. */
export const SETTLE_MS = 5000;
const FIRST_EVENTS = 10;
const BETWEEN_EVENTS_MS = 500;
const EVENT_TIMEOUT_MS = 10_000;
const MOST_CPU = atMost(1, '% of a core');
const MOST_COMMANDS = atMost(50, 'Redis commands/s');

/** Without any call: one replica on a standalone Redis, and two on Redis Cluster. PostgreSQL and NATS beside them. */
export const IDLE: Scene = {
  names: ['idle'],
  measure: ({ options }) =>
    withServer(startPostgres(), (postgres) =>
      withServer(startNats(), async (nats) => {
        const watchMs = options.idleSeconds * 1000;
        const env = async () => ({ DATABASE_URL: await postgres.createDatabase(), NATS_URL: nats.url });
        return [...(await oneReplica(await env(), watchMs, nats)), ...(await twoReplicas(await env(), watchMs))];
      }),
    ),
};

function oneReplica(env: Record<string, string>, watchMs: number, nats: NatsServer): Promise<Outcome[]> {
  return withServer(startRedis(), (redis) =>
    withServer(ServerProcess.service({ ...env, REDIS_URL: redis.url }), async (service) => {
      const { cpuPercent, commandsPerSecond } = await watch([service], [redis], watchMs);
      const eventsMs = await firstEvents(service, nats);
      return [
        { work: 'idle replica', goal: MOST_CPU, reached: cpuPercent },
        { work: 'idle replica: Redis', goal: MOST_COMMANDS, reached: commandsPerSecond },
        {
          work: `idle replica: slowest of ${FIRST_EVENTS} first events, call to subscriber`,
          goal: atMost(50, 'ms'),
          reached: Math.max(...eventsMs),
          latency: { p50Ms: quantile(eventsMs, 0.5), p99Ms: quantile(eventsMs, 0.99) },
        },
      ];
    }),
  );
}

/** Both publish to NATS, so that one of them stands by. */
function twoReplicas(env: Record<string, string>, watchMs: number): Promise<Outcome[]> {
  return withServer(startRedisCluster(), (cluster) => {
    const start = () => ServerProcess.service({ ...env, REDIS_URL: cluster.url, REDIS_CLUSTER: 'true' });
    return withServer(start(), (first) =>
      withServer(start(), async (second) => {
        const { cpuPercent, commandsPerSecond } = await watch([first, second], cluster.nodes, watchMs);
        return [
          { work: 'two idle replicas on Redis Cluster, each', goal: MOST_CPU, reached: cpuPercent / 2 },
          { work: 'two idle replicas on Redis Cluster: Redis', goal: MOST_COMMANDS, reached: commandsPerSecond },
        ];
      }),
    );
  });
}

async function watch(services: readonly ServerProcess[], nodes: readonly RedisServer[], watchMs: number) {
  await sleep(SETTLE_MS);
  const counter = await RedisCommandCounter.of(nodes);
  const cpuMicros = () => services.reduce((sum, service) => sum + service.cpuMicros, 0);
  const before = { cpuMicros: cpuMicros(), commands: counter.count, atMs: performance.now() };
  await sleep(watchMs);
  const tookMs = performance.now() - before.atMs;
  counter.stop();
  return {
    cpuPercent: (cpuMicros() - before.cpuMicros) / 10 / tookMs,
    commandsPerSecond: (counter.count - before.commands) / (tookMs / 1000),
  };
}

/** The times in ms from the start of a call that changes something to its event; nothing happens between two calls. */
async function firstEvents(service: ServerProcess, nats: NatsServer): Promise<number[]> {
  const client = new RpcClient(service.rpcUrl);
  const { id: taskId } = (await client.call(taskCreation())) as { id: string };
  const subscriber = await connect({ servers: nats.url });
  try {
    const tookMs: number[] = [];
    for (let i = 0; i < FIRST_EVENTS; i++) {
      const arrivedAtMs = nextEvent(subscriber);
      await subscriber.flush();
      await sleep(BETWEEN_EVENTS_MS);
      const startedAtMs = performance.now();
      const [atMs] = await Promise.all([arrivedAtMs, client.call(creation({ taskId, key: `first-${i}` }))]);
      tookMs.push(atMs - startedAtMs);
    }
    return tookMs;
  } finally {
    await subscriber.close();
  }
}

function nextEvent(subscriber: NatsConnection): Promise<number> {
  return new Promise((resolve, reject) => {
    subscriber.subscribe('task.attachment_created', {
      max: 1,
      timeout: EVENT_TIMEOUT_MS,
      callback: (error) => (error ? reject(error) : resolve(performance.now())),
    });
  });
}
