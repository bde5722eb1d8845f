import { Redis } from 'ioredis';
import { markdownTable } from './report/markdown-table';
import { RpcClient } from './rpc-client';
import { ServerProcess } from './servers/server-process';
import { withStores } from './servers/with-servers';

const TASKS = 100;
const ENTRIES = 20_000;
const WRITERS = 4;
const CALLS_AT_ONCE = 50;
const POLL_MS = 5;
const GIVE_UP_MS = 120_000;

/** Measures how fast the journal of an outage of PostgreSQL is drained, by one replica and by two. */
export async function measureDrain(): Promise<string> {
  const rows: string[][] = [];
  for (const replicas of [1, 2]) {
    const { rate, cpuMicros } = await drainAfterOutage(replicas);
    rows.push([String(replicas), Math.round(rate).toLocaleString('en'), String(Math.round(cpuMicros))]);
  }
  return `## Drain\n\n${markdownTable(['replicas', 'entries/s', 'server CPU µs/entry'], rows)}`;
}

function drainAfterOutage(replicas: number): Promise<{ rate: number; cpuMicros: number }> {
  return withStores(async (postgres, redis) => {
    const environment = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
    const client = new Redis(redis.url);
    const services: ServerProcess[] = [];
    try {
      for (let i = 0; i < replicas; i++) services.push(await ServerProcess.service(environment));
      const [service] = services as [ServerProcess];
      await createTasks(service.rpcUrl);
      await postgres.kill();
      await fillJournal(service.rpcUrl);
      const cpuBefore = cpuOf(services);
      await postgres.restart();
      const seconds = await drained(client);
      return { rate: ENTRIES / seconds, cpuMicros: (cpuOf(services) - cpuBefore) / ENTRIES };
    } finally {
      client.disconnect();
      for (const service of services) await service.stop();
    }
  });
}

async function createTasks(url: string): Promise<void> {
  const params = Array.from({ length: TASKS }, (_, i) => ({ id: `task-${i}`, text: 'Measure the drain' }));
  await new RpcClient(url).callAll(params.map((one) => ({ method: 'task.create', params: one })));
}

async function fillJournal(url: string): Promise<void> {
  const client = new RpcClient(url);
  let next = 0;
  const write = async () => {
    for (let from = (next += CALLS_AT_ONCE); from <= ENTRIES; from = next += CALLS_AT_ONCE) {
      const calls = Array.from({ length: CALLS_AT_ONCE }, (_, i) => {
        const params = { taskId: `task-${(from + i) % TASKS}`, key: `key-${from + i}`, type: 'text', content: 'x' };
        return { method: 'task.create_attachment', params };
      });
      await client.callAll(calls);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

/** The seconds from the first entry that leaves the journal to the last one. */
async function drained(client: Redis): Promise<number> {
  const giveUpAtMs = performance.now() + GIVE_UP_MS;
  let startedAtMs: number | undefined;
  for (;;) {
    const waiting = await client.llen('cb:journal');
    if (waiting < ENTRIES) startedAtMs ??= performance.now();
    if (waiting === 0) return (performance.now() - (startedAtMs as number)) / 1000;
    if (performance.now() > giveUpAtMs) throw new Error(`${waiting} entries still wait`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

function cpuOf(services: readonly ServerProcess[]): number {
  return services.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
}
