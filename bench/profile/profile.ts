import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CONNECTIONS } from '../goals/load-goal';
import { targetOf } from '../goals/scene';
import { listOnce, seed } from '../load/dataset';
import { LoadGenerator, type Sample } from '../load/load-generator-process';
import { untilIdle } from '../load/until-idle';
import { tasksFor, type WorkloadName } from '../load/workloads';
import type { BenchOptions } from '../options';
import { numberText } from '../report/goal';
import { describeMachine } from '../report/machine';
import { markdownTable } from '../report/markdown-table';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { PLACES, sharesOf, type Place } from './where';

const WORKLOADS: readonly WorkloadName[] = ['get', 'list', 'batch of 20 tasks', 'create, new', 'create, overwrite'];

/** CPU time of one request, in µs. */
type Costs = (place?: Place) => number;

/** Says on which code the service and the bare server spend the CPU time of a request. Returns Markdown. */
export async function measureProfile({ seconds }: BenchOptions): Promise<string> {
  const bundle = readFileSync(resolve('dist/app/bundle.js'), 'utf8');
  const machine = describeMachine();
  const rows = await withStores(async (postgres, redis) => {
    const url = await postgres.createDatabase();
    return withServer(ServerProcess.service({ DATABASE_URL: url, REDIS_URL: redis.url }), (service) =>
      withServer(ServerProcess.bare('servers', url, redis.url), async (bare) => {
        const dataset = await seed(new RpcClient(service.rpcUrl), tasksFor(WORKLOADS));
        await listOnce(new RpcClient(service.rpcUrl), dataset);
        return withServer(LoadGenerator.start(), async (generator) => {
          const costsOf = async (server: ServerProcess, workload: WorkloadName) => {
            const target = targetOf([server], dataset);
            await untilIdle([target]);
            const load = { workload, connections: CONNECTIONS };
            const { result, profile } = await server.profile(() => generator.measure(target, load, seconds));
            return costs(result, sharesOf(profile, bundle));
          };
          const columns: (readonly [ofService: Costs, ofBare: Costs])[] = [];
          for (const workload of WORKLOADS) {
            columns.push([await costsOf(service, workload), await costsOf(bare, workload)]);
          }
          return rowsOf(columns);
        });
      }),
    );
  });
  return `## Profile\n\n${markdownTable(['where', ...WORKLOADS], rows)}\n${machine}; seconds for each load: ${seconds}.\n`;
}

function costs({ cpuMicros }: Sample, shares: ReadonlyMap<Place, number>): Costs {
  const all = cpuMicros?.node ?? NaN;
  return (place) => (place === undefined ? all : all * (shares.get(place) ?? 0));
}

function rowsOf(columns: readonly (readonly [ofService: Costs, ofBare: Costs])[]): string[][] {
  const row = (name: string, place?: Place) => [
    name,
    ...columns.map(([service, bare]) => `${numberText(service(place))} / ${numberText(bare(place))}`),
  ];
  return [...PLACES.map((place) => row(place, place)), row('**all**')];
}
