import { readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNats } from '../../test/support/nats-server';
import { SETTLE_MS } from '../goals/idle';
import { CONNECTIONS } from '../goals/load-goal';
import { withEmbeddedPair, withPairOn, withPairOverNats, type Pair } from '../goals/pair';
import { LoadGenerator, type Sample, type Target } from '../load/load-generator-process';
import { untilIdle } from '../load/until-idle';
import { tasksFor, type WorkloadName } from '../load/workloads';
import type { BenchOptions } from '../options';
import { numberText } from '../report/goal';
import { describeMachine } from '../report/machine';
import { markdownTable } from '../report/markdown-table';
import { ServerProcess } from '../servers/server-process';
import { withFolder } from '../servers/with-folder';
import { withServer, withStores } from '../servers/with-servers';
import { PLACES, sharesOf, type Place } from './where';

const ON_STORES: readonly WorkloadName[] = ['get', 'list', 'batch of 20 tasks', 'create, new', 'create, overwrite'];
const OVER_NATS: readonly WorkloadName[] = ['get'];
const EMBEDDED: readonly WorkloadName[] = ['batch of 20 tasks', 'create, new'];

/** CPU time in µs, of a request or of a second: at one place, or all. */
type Costs = (place?: Place) => number;
type CostsOf = (micros: number, profile: Profiler.Profile) => Costs;
interface Column {
  readonly title: string;
  readonly cell: (place?: Place) => string;
}

/** Says on which code the service and the bare server spend their CPU time. Returns Markdown. */
export async function measureProfile({ seconds, idleSeconds }: BenchOptions): Promise<string> {
  const machine = describeMachine();
  const costsOf = costsIn(readFileSync(resolve('dist/app/bundle.js'), 'utf8'));
  const columnsOf = (workloads: readonly WorkloadName[], suffix: string) => (pair: Pair) =>
    withServer(LoadGenerator.start(), async (generator) => {
      const columns: Column[] = [];
      for (const workload of workloads) {
        const work = (target: Target) => generator.measure(target, { workload, connections: CONNECTIONS }, seconds);
        const [service, bare] = [await loaded(pair.service, work, costsOf), await loaded(pair.bare, work, costsOf)];
        const cell = (place?: Place) => `${numberText(service(place))} / ${numberText(bare(place))}`;
        columns.push({ title: workload + suffix, cell });
      }
      return columns;
    });
  const onStores = await withStores((postgres, redis) =>
    withPairOn({ postgres, redis }, tasksFor(ON_STORES), columnsOf(ON_STORES, '')),
  );
  const overNats = await withPairOverNats(tasksFor(OVER_NATS), columnsOf(OVER_NATS, ' over NATS'));
  const embedded = await withFolder((folder) =>
    withEmbeddedPair(folder, tasksFor(EMBEDDED), columnsOf(EMBEDDED, ', embedded')),
  );
  const idle = await idleSecond(idleSeconds, costsOf);
  const columns = [
    ...onStores,
    ...overNats,
    ...embedded,
    { title: 'idle, a second', cell: (place?: Place) => numberText(idle(place)) },
  ];
  return `## Profile\n\n${tableOf(columns)}\n${machine}; seconds for each load: ${seconds}.\n`;
}

function costsIn(bundle: string): CostsOf {
  return (micros, profile) => {
    const shares = sharesOf(profile, bundle);
    return (place) => (place === undefined ? micros : micros * (shares.get(place) ?? 0));
  };
}

async function loaded(
  { server, target }: Pair['service'],
  work: (target: Target) => Promise<Sample>,
  costsOf: CostsOf,
): Promise<Costs> {
  await untilIdle([target]);
  const { result, profile } = await server.profile(() => work(target));
  return costsOf(result.cpuMicros?.node ?? NaN, profile);
}

/** Without any call, with PostgreSQL, Redis and NATS. The profiler takes more than the service, so it comes after. */
function idleSecond(seconds: number, costsOf: CostsOf): Promise<Costs> {
  return withStores((postgres, redis) =>
    withServer(startNats(), (nats) =>
      withServer(
        ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url, NATS_URL: nats.url }),
        async (service) => {
          await sleep(SETTLE_MS);
          const before = service.cpuMicros;
          await sleep(seconds * 1000);
          const micros = (service.cpuMicros - before) / seconds;
          const { profile } = await service.profile(() => sleep(seconds * 1000));
          return costsOf(micros, profile);
        },
      ),
    ),
  );
}

function tableOf(columns: readonly Column[]): string {
  const row = (name: string, place?: Place) => [name, ...columns.map(({ cell }) => cell(place))];
  const rows = [...PLACES.map((place) => row(place, place)), row('**all**')];
  return markdownTable(['where', ...columns.map(({ title }) => title)], rows);
}
