import type { PostgresServer } from '../../test/support/postgres-server';
import type { RedisServer } from '../../test/support/redis-server';
import { createTasks } from '../load/dataset';
import { atMost } from '../report/goal';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { measureLoadGoals, type LoadGoal } from './load-goal';
import { targetOf, type Scene } from './scene';

const FEW = 1000;
const MANY = 100_000;

const GOALS: readonly LoadGoal[] = [
  {
    name: 'task-list',
    work: 'task.list of 20 of 1,000 tasks',
    of: { server: 'few', workload: 'task.list' },
    unit: 'requests/s',
  },
  {
    name: 'task-list',
    work: 'task.list of 20 of 100,000 tasks: time of PostgreSQL',
    of: { server: 'many', workload: 'task.list' },
    per: { server: 'few', workload: 'task.list' },
    metric: 'PostgreSQL, µs',
    goal: atMost(1.5, '× of 1,000'),
  },
];

/** Two services with databases of their own on the same servers. */
export const TASK_LIST: Scene = {
  names: ['task-list'],
  measure: ({ generator, options }) =>
    withStores((postgres, redis) =>
      withServer(serviceWith(FEW, postgres, redis, 0), (few) =>
        withServer(serviceWith(MANY, postgres, redis, 1), (many) => {
          const stores = { postgres, redis };
          const servers = {
            few: targetOf([few], { tasks: {} }, stores),
            many: targetOf([many], { tasks: {} }, stores),
          };
          return measureLoadGoals(generator, servers, GOALS, options);
        }),
      ),
    ),
};

async function serviceWith(tasks: number, postgres: PostgresServer, redis: RedisServer, redisDatabase: number) {
  const service = await ServerProcess.service({
    DATABASE_URL: await postgres.createDatabase(),
    REDIS_URL: `${redis.url}/${redisDatabase}`,
  });
  await createTasks(new RpcClient(service.rpcUrl), tasks);
  return service;
}
