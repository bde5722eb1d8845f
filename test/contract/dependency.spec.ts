import { NatsConnection } from '../../src/outbound/nats/nats-connection';
import { PostgresConnection } from '../../src/outbound/postgres/postgres-connection';
import { serverDatabase } from '../../src/outbound/postgres/server-database';
import { RedisConnection } from '../../src/outbound/redis/redis-connection';
import { startFaultProxy } from '../support/fault-proxy';
import { startNats } from '../support/nats-server';
import { startPostgres } from '../support/postgres-server';
import { startRedis } from '../support/redis-server';
import { describeDependency, type DependencyHarness } from './dependency.contract';

const onChange = () => undefined;

describeDependency('PostgreSQL', openPostgres);
describeDependency('Redis', () => openRedis({ isCluster: false }));
describeDependency('Redis Cluster', () => openRedis({ isCluster: true }));
describeDependency('NATS', openNats);

async function openPostgres(): Promise<DependencyHarness> {
  const server = await startPostgres();
  const proxy = await startFaultProxy(server.port);
  const url = `postgres://postgres@127.0.0.1:${proxy.port}/postgres`;
  const dependency = new PostgresConnection(serverDatabase({ url, poolSize: 1 }));
  return {
    dependency,
    silence: () => proxy.silence('both'),
    endSilence: () => proxy.pass(),
    close: async () => {
      await dependency.close();
      await proxy.close();
      await server.stop();
    },
  };
}

async function openRedis({ isCluster }: { isCluster: boolean }): Promise<DependencyHarness> {
  const server = await startRedis({ cluster: isCluster });
  // Its commands have a longer time-out than a ping.
  const dependency = new RedisConnection({ url: server.url, isCluster, commandTimeoutMs: 30_000, onChange });
  dependency.connect();
  return pausing(server, dependency);
}

async function openNats(): Promise<DependencyHarness> {
  const server = await startNats();
  const dependency = new NatsConnection({ url: server.url, clientName: 'test', onChange });
  dependency.connect();
  return pausing(server, dependency);
}

function pausing(
  server: { pause(): void; resume(): void; stop(): Promise<void> },
  dependency: RedisConnection | NatsConnection,
): DependencyHarness {
  return {
    dependency,
    silence: () => server.pause(),
    endSilence: () => server.resume(),
    close: async () => {
      server.resume();
      await dependency.close();
      await server.stop();
    },
  };
}
