import fc from 'fast-check';
import { Cluster } from 'ioredis';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { commands } from '../support/cache-model/cache-command';
import { CacheLane } from '../support/cache-model/cache-lane';
import { startRedis, startRedisCluster } from '../support/redis-server';

/** More sequences, or those of a printed seed: npx jest redis-scripts --globals '{"sequences":200000,"seed":1}' */
const { sequences = 4000, seed = Date.now() % 2 ** 31 } = globalThis as { sequences?: number; seed?: number };
const LANES = 12;
const TIMEOUT_MS = 300_000 + sequences * 40;

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

describe('the Redis scripts do what the model does, for any sequence of commands', () => {
  const servers: Server[] = [];
  const connections: RedisConnection[] = [];
  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await Promise.all(servers.map((server) => server.stop()));
  });
  const start = async <S extends Server>(starting: Promise<S>): Promise<S> => {
    const server = await starting;
    servers.push(server);
    return server;
  };
  const connect = async (url: string, isCluster: boolean) => {
    const connection = new RedisConnection({ url, isCluster, onChange: () => undefined });
    connections.push(connection);
    connection.connect();
    await connection.waitUntilReady(10_000);
    // The first command to a node opens its connection, which starts a new generation.
    if (connection.client instanceof Cluster) await Promise.all(connection.client.nodes().map((node) => node.ping()));
    return connection;
  };

  it(
    'on one server',
    async () => {
      const { url } = await start(startRedis());
      const lanes = Array.from({ length: LANES }, async (_, database) => {
        return new CacheLane(await connect(`${url}/${database}`, false), false, 0);
      });
      await runOn(await Promise.all(lanes));
    },
    TIMEOUT_MS,
  );

  it(
    'on a cluster of three nodes',
    async () => {
      const connection = await connect((await start(startRedisCluster())).url, true);
      await runOn(Array.from({ length: LANES }, (_, shard) => new CacheLane(connection, true, shard)));
    },
    TIMEOUT_MS,
  );
});

/** Runs half of all sequences, in all lanes at once. */
async function runOn(lanes: readonly CacheLane[]): Promise<void> {
  const numRuns = Math.ceil(sequences / 2 / lanes.length);
  const running = lanes.map((lane, i) => {
    const property = fc.asyncProperty(commands, (sequence) => lane.run(sequence));
    return fc.assert(property, { numRuns, seed: seed + i });
  });
  for (const outcome of await Promise.allSettled(running)) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
}
