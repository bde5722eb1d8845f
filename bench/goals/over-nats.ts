import { startNats } from '../../test/support/nats-server';
import { until } from '../../test/support/poll';
import { connect } from '@nats-io/transport-node';
import { seed } from '../load/dataset';
import type { Target } from '../load/load-generator-process';
import { atLeast } from '../report/goal';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetOf, type Scene } from './scene';

const GOALS: readonly LoadGoal[] = [{ ...perBare('nats', 'get over NATS', 'get'), goal: atLeast(0.6, '× bare') }];

export const OVER_NATS: Scene = {
  names: ['nats'],
  measure: ({ generator, options }) =>
    withStores((postgres, redis) =>
      withServer(startNats(), (nats) =>
        withServer(
          ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url, NATS_URL: nats.url }),
          (service) =>
            withServer(ServerProcess.bare('servers', postgres.url, redis.url, nats.url), async (bare) => {
              const dataset = await seed(new RpcClient(service.rpcUrl), tasksForGoals(GOALS));
              await servesOver(nats.url);
              const overNats = (server: ServerProcess, subjectPrefix: string): Target => ({
                ...targetOf([server], dataset, { postgres, redis }),
                endpoint: { nats: nats.url, subjectPrefix },
              });
              const servers = { service: overNats(service, ''), bare: overNats(bare, 'bare.') };
              return measureLoadGoals(generator, servers, GOALS, options);
            }),
        ),
      ),
    ),
};

/** The service subscribes when it is ready, which it may be a moment after its first reply over HTTP. */
async function servesOver(servers: string): Promise<void> {
  const connection = await connect({ servers });
  const responds = () => connection.request('task.list', '{"limit":1}').then(Boolean, () => false);
  await until('the service responds over NATS', responds).finally(() => connection.close());
}
