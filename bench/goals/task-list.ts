import { until } from '../../test/support/poll';
import type { PostgresServer } from '../../test/support/postgres-server';
import type { RedisServer } from '../../test/support/redis-server';
import { createTasks } from '../load/dataset';
import { atMost } from '../report/goal';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withClient } from '../servers/with-client';
import { withServer, withStores } from '../servers/with-servers';
import { measureLoadGoals, type LoadGoal } from './load-goal';
import { targetOf, type Scene } from './scene';

const FEW = 1000;
const MANY = 100_000;
const PUBLISHED_TIMEOUT_MS = 300_000;

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
  const url = await postgres.createDatabase();
  const service = await ServerProcess.service({
    DATABASE_URL: url,
    REDIS_URL: `${redis.url}/${redisDatabase}`,
  });
  await createTasks(new RpcClient(service.rpcUrl), tasks);
  await settle(url);
  return service;
}

/** Otherwise the events of the tasks would still be published during the load, and autovacuum would begin. */
function settle(url: string): Promise<void> {
  return withClient(url, async (client) => {
    const none = 'SELECT NOT EXISTS (SELECT FROM outbox_waiting) AS none';
    await until(
      'all events are published',
      async () => (await client.query<{ none: boolean }>(none)).rows[0]?.none,
      PUBLISHED_TIMEOUT_MS,
    );
    await client.query('VACUUM ANALYZE');
  });
}
