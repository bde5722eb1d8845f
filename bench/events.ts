import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Client } from 'pg';
import { startNats, type NatsServer } from '../test/support/nats-server';
import { markdownTable } from './report/markdown-table';
import { quantile } from './report/statistics';
import { request, RpcClient } from './rpc-client';
import { ServerProcess } from './servers/server-process';
import { withServer, withStores } from './servers/with-servers';

const CHANGES_PER_SECOND = 500;
const SECONDS = 20;
const WARM_UP_SECONDS = 3;
const TICK_MS = 4;
const TASKS = 100;
const BACKLOG = 20_000;
const CALLS_IN_FLIGHT = 8;
const GIVE_UP_MS = 120_000;

/** The time at which the subscriber received each event, by key. The times are those of this process. */
type Arrivals = Map<string, number>;

/**
 * Measures how long an event takes from the commit to a subscriber, and how fast a backlog is drained after an outage.
 */
export function measureEvents(): Promise<string> {
  return withStores(async (postgres, redis) =>
    withServer(startNats(), async (nats) => {
      const environment = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, NATS_URL: nats.url };
      const service = await ServerProcess.service(environment);
      const subscriber = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
      try {
        const arrivals = await subscribe(subscriber);
        await createTasks(service.rpcUrl);
        const lagsMs = await lagUnderLoad(service.url, postgres.url, arrivals);
        const drained = await drainAfterOutage(service.url, nats, arrivals);
        return report(lagsMs, drained);
      } finally {
        await subscriber.close();
        await service.stop();
      }
    }),
  );
}

async function subscribe(subscriber: NatsConnection): Promise<Arrivals> {
  const arrivals: Arrivals = new Map();
  subscriber.subscribe('task.attachment_created', {
    callback: (_, message) => {
      const { payload } = message.json<{ payload: { key: string } }>();
      if (!arrivals.has(payload.key)) arrivals.set(payload.key, Date.now());
    },
  });
  await subscriber.flush();
  return arrivals;
}

async function createTasks(url: string): Promise<void> {
  const params = Array.from({ length: TASKS }, (_, i) => ({ id: `task-${i}`, text: 'Measure events' }));
  await new RpcClient(url).callAll(params.map((one) => ({ method: 'task.create', params: one })));
}

/** Lags in ms since the time in the outbox, which is the start of the transaction, a little before its commit. */
async function lagUnderLoad(url: string, databaseUrl: string, arrivals: Arrivals): Promise<number[]> {
  const perTick = (CHANGES_PER_SECOND * TICK_MS) / 1000;
  const total = CHANGES_PER_SECOND * (WARM_UP_SECONDS + SECONDS);
  const calls: Promise<unknown>[] = [];
  const startedAtMs = performance.now();
  for (let sent = 0; sent < total; sent += perTick) {
    const dueMs = startedAtMs + (sent / CHANGES_PER_SECOND) * 1000;
    await new Promise((wake) => setTimeout(wake, Math.max(0, dueMs - performance.now())));
    for (let i = sent; i < sent + perTick; i++) calls.push(attach(url, `lag-${i}`, i));
  }
  await Promise.all(calls);
  await untilArrived(arrivals, 'lag', total);

  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ key: string; at: Date }>(
    `SELECT key, at FROM outbox WHERE key LIKE 'lag-%' AND substr(key, 5)::integer >= $1`,
    [CHANGES_PER_SECOND * WARM_UP_SECONDS],
  );
  await client.end();
  return rows.map(({ key, at }) => (arrivals.get(key) as number) - at.getTime());
}

/** Measures from the first event after the outage to the last one. */
async function drainAfterOutage(url: string, nats: NatsServer, arrivals: Arrivals): Promise<{ seconds: number }> {
  await nats.kill();
  let next = 0;
  const writer = async () => {
    for (let i = next++; i < BACKLOG; i = next++) await attach(url, `drain-${i}`, i);
  };
  await Promise.all(Array.from({ length: CALLS_IN_FLIGHT }, writer));
  await nats.restart();
  await untilArrived(arrivals, 'drain', BACKLOG);
  const timesMs = [...arrivals].filter(([key]) => key.startsWith('drain-')).map(([, atMs]) => atMs);
  return { seconds: (Math.max(...timesMs) - Math.min(...timesMs)) / 1000 };
}

async function attach(url: string, key: string, i: number): Promise<void> {
  const params = { taskId: `task-${i % TASKS}`, key, type: 'text', content: 'x' };
  const response = await fetch(`${url}/rpc`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request({ method: 'task.create_attachment', params })),
  });
  const reply = (await response.json()) as { error?: unknown };
  if (reply.error) throw new Error(`unexpected reply: ${JSON.stringify(reply)}`);
}

async function untilArrived(arrivals: Arrivals, kind: string, count: number): Promise<void> {
  const giveUpAtMs = performance.now() + GIVE_UP_MS;
  const arrived = () => [...arrivals.keys()].filter((key) => key.startsWith(`${kind}-`)).length;
  while (arrived() < count) {
    if (performance.now() > giveUpAtMs) throw new Error(`${arrived()} of ${count} events have arrived`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function report(lagsMs: number[], { seconds }: { seconds: number }): string {
  const rate = Math.round(BACKLOG / seconds).toLocaleString('en');
  return `## Events\n\n${markdownTable(
    ['measure', 'value'],
    [
      [`lag at ${CHANGES_PER_SECOND} changes a second, p50, ms`, String(quantile(lagsMs, 0.5))],
      [`lag at ${CHANGES_PER_SECOND} changes a second, p99, ms`, String(quantile(lagsMs, 0.99))],
      [`backlog of ${BACKLOG.toLocaleString('en')} after an outage, events a second`, rate],
    ],
  )}`;
}
