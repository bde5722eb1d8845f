import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { firstAnswer } from './first-answer';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { ServerProcess } from './server-process';

const START_TIMEOUT_MS = 15_000;
const PROBE = 'probe';

export interface NatsServerOptions {
  /** True unless told otherwise. */
  readonly jetStream?: boolean;
  /** More of the server's command line. */
  readonly args?: readonly string[];
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it in order and removes its folder. */
  stop(): Promise<void>;
  /** Ends it as a crash would; `restart` brings it back. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  restart(): Promise<void>;
  /** It keeps its connections, and replies to nothing that is sent from now on until `resume`. */
  pause(): void;
  resume(): void;
}

export interface NatsCluster {
  /** Of all its nodes, with commas between. */
  readonly url: string;
  readonly nodes: readonly NatsServer[];
  stop(): Promise<void>;
}

/** A NATS of the test's own, on a free port, that dies with the test's process. */
export async function startNats({ jetStream = true, args = [] }: NatsServerOptions = {}): Promise<NatsServer> {
  const node = new Node(await freePort(), jetStream, args);
  await node.start();
  return node;
}

/** Nodes that share subjects and streams. */
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

class Node implements NatsServer {
  /** By which it is known from another server that took the port first. */
  private readonly serverName = randomUUID();
  private readonly folder = mkdtempSync(join(tmpdir(), 'dossier-nats-'));
  private server?: ServerProcess;

  constructor(
    readonly port: number,
    private readonly jetStream: boolean,
    private readonly args: readonly string[],
  ) {}

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.server?.pid as number;
  }

  async start(): Promise<void> {
    const args = ['--addr', '127.0.0.1', '--port', String(this.port), '--name', this.serverName, ...this.args];
    if (this.jetStream) args.push('--jetstream', '--store_dir', this.folder);
    try {
      this.server = await ServerProcess.start({
        path: findOrInstall('nats-server'),
        args,
        answers: async () => (await firstAnswer(this.port)).includes(this.serverName),
        startTimeoutMs: START_TIMEOUT_MS,
      });
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.resume();
    await this.server?.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.server?.end('SIGKILL');
  }

  restart(): Promise<void> {
    return this.start();
  }

  pause(): void {
    this.server?.pause();
  }

  resume(): void {
    this.server?.resume();
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
