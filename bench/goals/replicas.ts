import { availableParallelism } from 'node:os';
import { seed } from '../load/dataset';
import { atLeast } from '../report/goal';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { measureLoadGoals, tasksForGoals, type LoadGoal } from './load-goal';
import { targetOf, type Scene } from './scene';

/** Two replicas, Redis and the load generator. */
const BUSY_PROCESSES = 4;

const cores = availableParallelism();
const GOALS: readonly LoadGoal[] = [
  {
    name: 'replicas',
    work: 'get, two replicas',
    of: { server: 'two', workload: 'get' },
    per: { server: 'one', workload: 'get' },
    goal: atLeast(1.6, '× one replica'),
    unjudged: cores < BUSY_PROCESSES ? `${cores} cores for ${BUSY_PROCESSES} busy processes` : undefined,
  },
];

export const REPLICAS: Scene = {
  names: ['replicas'],
  measure: ({ generator, options }) =>
    withStores((postgres, redis) => {
      const start = () => ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url });
      return withServer(start(), (first) =>
        withServer(start(), async (second) => {
          const dataset = await seed(new RpcClient(first.rpcUrl), tasksForGoals(GOALS));
          const stores = { postgres, redis };
          const servers = {
            one: targetOf([first], dataset, stores),
            two: targetOf([first, second], dataset, stores),
          };
          return measureLoadGoals(generator, servers, GOALS, options);
        }),
      );
    }),
};
