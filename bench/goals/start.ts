import { join } from 'node:path';
import { atMost, type Outcome } from '../report/goal';
import { median } from '../report/statistics';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withFolder } from '../servers/with-folder';
import { withStores } from '../servers/with-servers';
import type { Scene } from './scene';

/** From the start of the process to its first result: with a new and an existing embedded database, and on servers. */
export const START: Scene = {
  names: ['start'],
  measure: async ({ options: { rounds } }) => {
    const times: StartTimes = { new: [], existing: [], servers: [] };
    for (let round = 0; round < rounds; round++) await startEmbedded(times);
    await withStores(async (postgres, redis) => {
      const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
      // The first start makes the schema.
      await firstResultMs(env);
      for (let round = 0; round < rounds; round++) times.servers.push(await firstResultMs(env));
    });
    return [
      outcome('embedded, existing database', times.existing, 1.5),
      outcome('embedded, new database', times.new, 3),
      outcome('PostgreSQL and Redis', times.servers, 1),
    ];
  },
};

/** In ms. */
interface StartTimes {
  readonly new: number[];
  readonly existing: number[];
  readonly servers: number[];
}

function startEmbedded(times: StartTimes): Promise<void> {
  return withFolder(async (folder) => {
    const env = { DATA_DIR: join(folder, 'data') };
    times.new.push(await firstResultMs(env));
    times.existing.push(await firstResultMs(env));
  });
}

async function firstResultMs(env: Readonly<Record<string, string>>): Promise<number> {
  const startedAtMs = performance.now();
  const service = await ServerProcess.service(env);
  try {
    await new RpcClient(service.rpcUrl).call({ method: 'task.list', params: { limit: 1 } });
    return performance.now() - startedAtMs;
  } finally {
    await service.stop();
  }
}

function outcome(stores: string, timesMs: readonly number[], mostSeconds: number): Outcome {
  return {
    work: `start to first result: ${stores}`,
    goal: atMost(mostSeconds, 's'),
    reached: median(timesMs) / 1000,
  };
}
