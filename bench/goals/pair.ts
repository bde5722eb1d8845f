import { connect } from '@nats-io/transport-node';
import { startNats } from '../../test/support/nats-server';
import { until } from '../../test/support/poll';
import { listOnce, seed, type Kind } from '../load/dataset';
import type { Target } from '../load/load-generator-process';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores, type Stores } from '../servers/with-servers';
import { targetOf } from './scene';

interface Measured {
  readonly server: ServerProcess;
  readonly target: Target;
}

/** The service and the bare server, with the same tasks. */
export interface Pair {
  readonly service: Measured;
  readonly bare: Measured;
}

type Work<T> = (pair: Pair) => Promise<T>;

export function targetsOf({ service, bare }: Pair): Readonly<Record<string, Target>> {
  return { service: service.target, bare: bare.target };
}

/** Both on these stores, over HTTP. */
export async function withPairOn<T>(stores: Stores, kinds: readonly Kind[], work: Work<T>): Promise<T> {
  return withBothOn(stores, kinds, undefined, work);
}

/** Both on stores and NATS of their own, called over NATS. */
export function withPairOverNats<T>(kinds: readonly Kind[], work: Work<T>): Promise<T> {
  return withStores((postgres, redis) =>
    withServer(startNats(), ({ url }) =>
      withBothOn({ postgres, redis }, kinds, url, async ({ service, bare }) => {
        await servesOver(url);
        const over = ({ server, target }: Measured, subjectPrefix: string) => ({
          server,
          target: { ...target, endpoint: { nats: url, subjectPrefix } },
        });
        return work({ service: over(service, ''), bare: over(bare, 'bare.') });
      }),
    ),
  );
}

/** Each with PGlite in its process; the bare server has a `Map` as its cache. `folder` is for their data. */
export function withEmbeddedPair<T>(folder: string, kinds: readonly Kind[], work: Work<T>): Promise<T> {
  return withServer(ServerProcess.service({ DATA_DIR: `${folder}/service` }), (service) =>
    withServer(ServerProcess.bare('embedded', `${folder}/bare`), async (bare) => {
      const seeded = async (server: ServerProcess) => ({
        server,
        target: targetOf([server], await seed(new RpcClient(server.rpcUrl), kinds)),
      });
      return work({ service: await seeded(service), bare: await seeded(bare) });
    }),
  );
}

async function withBothOn<T>(stores: Stores, kinds: readonly Kind[], nats: string | undefined, work: Work<T>) {
  const { postgres, redis } = stores;
  const url = await postgres.createDatabase();
  const environment = { DATABASE_URL: url, REDIS_URL: redis.url, ...(nats && { NATS_URL: nats }) };
  return withServer(ServerProcess.service(environment), (service) =>
    withServer(ServerProcess.bare('servers', url, redis.url, ...(nats ? [nats] : [])), async (bare) => {
      const client = new RpcClient(service.rpcUrl);
      const dataset = await seed(client, kinds);
      await listOnce(client, dataset);
      const of = (server: ServerProcess) => ({ server, target: targetOf([server], dataset, stores) });
      return work({ service: of(service), bare: of(bare) });
    }),
  );
}

/** The service subscribes when it is ready, which it may be a moment after its first reply over HTTP. */
async function servesOver(servers: string): Promise<void> {
  const connection = await connect({ servers });
  const responds = () => connection.request('task.list', '{"limit":1}').then(Boolean, () => false);
  await until('the service responds over NATS', responds).finally(() => connection.close());
}
