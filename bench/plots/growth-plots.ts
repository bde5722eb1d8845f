import { createTasks, listOnce, seed, type Dataset, type Kind } from '../load/dataset';
import type { LoadGenerator, Target } from '../load/load-generator-process';
import { untilIdle } from '../load/until-idle';
import { tasksFor, type WorkloadName } from '../load/workloads';
import { CONNECTIONS } from '../goals/load-goal';
import { targetOf } from '../goals/scene';
import type { Line } from '../report/line-chart';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import type { Plot } from './plots';

/** What has grown at one point of a plot. */
interface Point {
  readonly x: number;
  readonly connections?: number;
  readonly dataset?: { valueBytes?: number; shapes?: Partial<Record<Kind, { tasks: number; attachments: number }>> };
  /** So many without attachments. */
  readonly tasks?: number;
}

interface Growth {
  readonly points: readonly Point[];
  readonly lines: Readonly<Record<string, WorkloadName>>;
}

/** At every point of the plot so many attachments are read and written, in more or in fewer tasks. */
const ATTACHMENTS = 2000;
/** Few, so that the load of the largest values is not a test of the machine's memory. */
const FEW_CONNECTIONS = 4;

/** No two connections write to the same attachment. */
const FOR_MANY_CONNECTIONS: Point['dataset'] = { shapes: { small: { tasks: 400, attachments: 20 } } };

export const ATTACHMENTS_PLOT = growthPlot('attachments-per-task', 'attachments of the task', {
  points: [20, 100, 1000, 10_000].map((attachments) => {
    const tasks = Math.max(2, ATTACHMENTS / attachments);
    return { x: attachments, dataset: { shapes: { small: { tasks, attachments } } } };
  }),
  lines: { get: 'get', 'list 20': 'list', 'list 20 by prefix': 'list by prefix', overwrite: 'create, overwrite' },
});

export const TASKS_PLOT = growthPlot('tasks', 'tasks of the organisation', {
  points: [1000, 10_000, 100_000].map((x) => ({ x, tasks: x })),
  lines: { get: 'get', overwrite: 'create, overwrite', 'task.list 20': 'task.list' },
});

export const VALUES_PLOT = growthPlot('value-size', 'bytes of the value', {
  points: [100, 1024, 10_240, 102_400, 1_048_576].map((valueBytes) => ({
    x: valueBytes,
    connections: FEW_CONNECTIONS,
    dataset: { valueBytes, shapes: { small: { tasks: 20, attachments: 6 } } },
  })),
  lines: { get: 'get', overwrite: 'create, overwrite' },
});

export const CONNECTIONS_PLOT = growthPlot('connections', 'connections', {
  points: [1, 2, 4, 8, 16, 32, 64, 128, 256].map((connections) => ({
    x: connections,
    connections,
    dataset: FOR_MANY_CONNECTIONS,
  })),
  lines: { get: 'get', overwrite: 'create, overwrite', 'create new': 'create, new' },
});

function growthPlot(name: string, xTitle: string, growth: Growth): Plot {
  return {
    name,
    measure: async (generator, seconds) => ({
      title: `Requests per second, by ${xTitle}`,
      xTitle,
      yTitle: 'requests per second',
      xScale: 'log',
      yScale: 'log',
      lines: await linesOf(growth, generator, seconds),
    }),
  };
}

/** On the same servers for all points, from the smallest to the largest. */
function linesOf(growth: Growth, generator: LoadGenerator, seconds: number): Promise<Line[]> {
  const measured = new Map<string, { x: number; y: number }[]>();
  return withStores((postgres, redis) =>
    withServer(ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url }), async (service) => {
      for await (const [point, dataset] of grown(growth, new RpcClient(service.rpcUrl))) {
        const target = targetOf([service], dataset, { postgres, redis });
        for (const [name, workload] of Object.entries(growth.lines)) {
          const y = await rateOf(generator, target, point, workload, seconds);
          measured.set(name, [...(measured.get(name) ?? []), { x: point.x, y }]);
        }
      }
      return [...measured].map(([name, points]) => ({ name, points }));
    }),
  );
}

/** Each point when its tasks are there. Points with the same dataset share the tasks. */
async function* grown({ points, lines }: Growth, client: RpcClient): AsyncGenerator<[Point, Dataset]> {
  const kinds = tasksFor(Object.values(lines));
  let tasks = 0;
  let seeded: { readonly of: Point['dataset']; readonly dataset: Dataset } | undefined;
  for (const point of points) {
    if (point.tasks) await createTasks(client, point.tasks - tasks);
    tasks = point.tasks ?? 0;
    if (!seeded || seeded.of !== point.dataset) {
      seeded = { of: point.dataset, dataset: await seed(client, kinds, point.dataset) };
      await listOnce(client, seeded.dataset);
    }
    yield [point, seeded.dataset];
  }
}

async function rateOf(
  generator: LoadGenerator,
  target: Target,
  { x, connections = CONNECTIONS }: Point,
  workload: WorkloadName,
  seconds: number,
): Promise<number> {
  await untilIdle([target]);
  const { requestsPerSecond, failures } = await generator.measure(target, { workload, connections }, seconds);
  if (failures > 0) throw new Error(`${workload} at ${x}: ${failures} requests failed`);
  if (requestsPerSecond === 0) throw new Error(`${workload} at ${x}: no reply in ${seconds} seconds`);
  return requestsPerSecond;
}
