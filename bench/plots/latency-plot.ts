import { seed } from '../load/dataset';
import type { LoadGenerator, Sample, Target } from '../load/load-generator-process';
import { untilIdle } from '../load/until-idle';
import { tasksFor } from '../load/workloads';
import { targetOf } from '../goals/scene';
import type { Line } from '../report/line-chart';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import type { Plot } from './plots';

const WORKLOAD = 'get';
const CONNECTIONS = 64;
/** Of what the server replies to if the generator waits for replies. */
const SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Requests come by a timetable, whether or not the server keeps up. */
export const LATENCY_PLOT: Plot = {
  name: 'latency',
  measure: async (generator, seconds) => ({
    title: 'Latency of a get, by the rate of requests',
    xTitle: 'requests per second, sent by a timetable',
    yTitle: 'ms since the request was due',
    xScale: 'linear',
    yScale: 'log',
    lines: await linesOf(generator, seconds),
  }),
};

function linesOf(generator: LoadGenerator, seconds: number): Promise<Line[]> {
  return withStores((postgres, redis) =>
    withServer(ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url }), (service) =>
      withServer(ServerProcess.bare('servers', postgres.url, redis.url), async (bare) => {
        const dataset = await seed(new RpcClient(service.rpcUrl), tasksFor([WORKLOAD]));
        await untilIdle([targetOf([service], dataset, { postgres, redis })]);
        const rising = (server: ServerProcess) => underRisingLoad(generator, targetOf([server], dataset), seconds);
        const [ofService, ofBare] = [await rising(service), await rising(bare)];
        return [...linesFor('service', ofService), ...linesFor('bare', ofBare)];
      }),
    ),
  );
}

async function underRisingLoad(generator: LoadGenerator, target: Target, seconds: number): Promise<Sample[]> {
  const load = { workload: WORKLOAD, connections: CONNECTIONS } as const;
  const most = await generator.measure(target, load, seconds);
  const samples: Sample[] = [];
  for (const share of SHARES) {
    const requestsPerSecond = Math.round(share * most.requestsPerSecond);
    const sample = await generator.measure(target, { ...load, requestsPerSecond }, seconds);
    if (sample.failures > 0) throw new Error(`at ${requestsPerSecond} requests/s, ${sample.failures} failed`);
    samples.push({ ...sample, requestsPerSecond });
  }
  return samples;
}

function linesFor(server: string, samples: readonly Sample[]): Line[] {
  const points = (of: (sample: Sample) => number) =>
    samples.map((sample) => ({ x: sample.requestsPerSecond, y: of(sample) }));
  return [
    { name: `${server}, p99`, group: server, points: points(({ p99Ms }) => p99Ms) },
    { name: `${server}, p50`, group: server, points: points(({ p50Ms }) => p50Ms), isDashed: true },
  ];
}
