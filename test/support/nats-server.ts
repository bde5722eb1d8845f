import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { firstAnswer } from './first-answer';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { PrivateServer } from './private-server';
import type { ServerProgram } from './server-process';

const START_TIMEOUT_MS = 20_000;
const PROBE = 'probe';

export interface NatsServerOptions {
  /** True by default. */
  readonly jetStream?: boolean;
  /** More of the server's command line. */
  readonly args?: readonly string[];
  /** More variables, for a configuration file that reads them. */
  readonly env?: Readonly<Record<string, string>>;
}

export type NatsServer = Omit<PrivateServer, 'start'>;

export interface NatsCluster {
  /** Of all its nodes, with commas between. */
  readonly url: string;
  readonly nodes: readonly NatsServer[];
  stop(): Promise<void>;
}

export async function startNats({ jetStream = true, args = [], env }: NatsServerOptions = {}): Promise<NatsServer> {
  const node = new Node(await freePort(), jetStream, args, env);
  await node.start();
  return node;
}

/** The nodes share subjects and streams. */
export async function startNatsCluster(size = 3): Promise<NatsCluster> {
  const routePorts = await Promise.all(Array.from({ length: size }, freePort));
  const routes = routePorts.map((port) => `nats://127.0.0.1:${port}`);
  const nodes = await Promise.all(
    routes.map(async (route) => {
      const cluster = ['--cluster_name', 'test', '--cluster', route, '--routes', routes.join(',')];
      return new Node(await freePort(), true, cluster);
    }),
  );
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())));
  try {
    await Promise.all(nodes.map((node) => node.start()));
    await until('all nodes take streams', () => canPlaceStream(nodes[0] as Node, size), START_TIMEOUT_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: nodes.map(({ url }) => url).join(','), nodes, stop };
}

class Node extends PrivateServer {
  /** Tells it from another server that has taken the port first. */
  private readonly serverName = randomUUID();

  constructor(
    port: number,
    private readonly jetStream: boolean,
    private readonly args: readonly string[],
    private readonly env: Readonly<Record<string, string>> = {},
  ) {
    super('nats', port);
  }

  protected program(): ServerProgram {
    const args = ['--addr', '127.0.0.1', '--port', String(this.port), '--name', this.serverName, ...this.args];
    if (this.jetStream) args.push('--jetstream', '--store_dir', this.folder);
    return {
      path: findOrInstall('nats-server'),
      args,
      options: { env: { ...process.env, ...this.env } },
      answers: async () => (await firstAnswer(this.port)).includes(this.serverName),
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }
}

/** A cluster that has a leader may not know all its nodes yet. */
async function canPlaceStream({ url }: NatsServer, replicas: number): Promise<boolean> {
  const client = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(client, { timeout: 1000 });
    await manager.streams.add({ name: PROBE, subjects: [PROBE], storage: 'memory', num_replicas: replicas });
    await manager.streams.delete(PROBE);
    return true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}
