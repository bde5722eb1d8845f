import { setTimeout as sleep } from 'node:timers/promises';
import { seed } from '../load/dataset';
import type { Target } from '../load/load-generator-process';
import { tasksFor } from '../load/workloads';
import { atMost, type Outcome } from '../report/goal';
import { median } from '../report/statistics';
import { RpcClient } from '../rpc-client';
import { residentBytesOf } from '../servers/cpu-time';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { CONNECTIONS } from './load-goal';
import { targetOf, type Scene, type SceneWork } from './scene';

const SMALL_BYTES = 1024;
const LARGE_BYTES = 1024 * 1024;
const PIECE_SECONDS = 5;
const LARGE_SECONDS = 20;
const LARGE_CONNECTIONS = 8;
/** For how long nothing is called before the last look. */
const REST_MS = 30_000;
const MEGABYTE = 1e6;

/** The memory of the service under mixed load, and after values of 1 MiB. */
export const MEMORY: Scene = {
  names: ['memory'],
  measure: (work) =>
    withStores((postgres, redis) =>
      withServer(ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url }), async (service) => {
        const atStart = residentBytesOf(service.pid);
        const dataset = await seed(new RpcClient(service.rpcUrl), tasksFor(['mixed']), {
          valueBytes: SMALL_BYTES,
        });
        const target = targetOf([service], dataset, { postgres, redis });
        const small = await underMixedLoad(service, target, work);
        const afterLarge = await afterLargeValues(service, target, work);
        return [...outcomesOf(small, work.options.memoryMinutes, atStart), afterLarge];
      }),
    ),
};

/** Bytes at the end of each piece of the load. */
async function underMixedLoad(service: ServerProcess, target: Target, work: SceneWork): Promise<number[]> {
  const pieces = Math.max(3, Math.round((work.options.memoryMinutes * 60) / PIECE_SECONDS));
  const load = { workload: 'mixed', connections: CONNECTIONS } as const;
  const bytes: number[] = [];
  for (let i = 0; i < pieces; i++) {
    const { failures } = await work.generator.measureAtOnce(target, load, PIECE_SECONDS);
    if (failures > 0) throw new Error(`mixed load: ${failures} requests failed`);
    bytes.push(residentBytesOf(service.pid));
  }
  return bytes;
}

export function outcomesOf(bytes: readonly number[], minutes: number, atStart: number): Outcome[] {
  const third = Math.floor(bytes.length / 3);
  const [middle, end] = [median(bytes.slice(third, 2 * third)), median(bytes.slice(-third))];
  const [most, start] = [Math.max(...bytes) / MEGABYTE, atStart / MEGABYTE].map(Math.round);
  return [
    {
      work: `memory, ${minutes} minutes of mixed load with 1 KiB, last third`,
      ceiling: `${start} MB at the start, ${most} at most`,
      goal: atMost(180, 'MB'),
      reached: end / MEGABYTE,
    },
    {
      work: 'memory, last third beside the second third',
      ceiling: `${Math.round(middle / MEGABYTE)} MB`,
      goal: atMost(1.03, '× the second third'),
      reached: end / middle,
    },
  ];
}

async function afterLargeValues(service: ServerProcess, target: Target, work: SceneWork): Promise<Outcome> {
  const large = { ...target, dataset: { ...target.dataset, valueBytes: LARGE_BYTES } };
  const load = { workload: 'get and overwrite', connections: LARGE_CONNECTIONS } as const;
  const { requests, failures } = await work.generator.measureAtOnce(large, load, LARGE_SECONDS);
  const under = residentBytesOf(service.pid);
  await sleep(REST_MS);
  return {
    work: `memory, ${REST_MS / 1000} s after values of 1 MiB`,
    ceiling: `${Math.round(under / MEGABYTE)} MB under load`,
    goal: atMost(250, 'MB'),
    reached: residentBytesOf(service.pid) / MEGABYTE,
    problem: failures > 0 ? `${failures} of ${requests} failed` : undefined,
  };
}
