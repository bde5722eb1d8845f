import { firstAnswer } from './first-answer';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { PrivateServer } from './private-server';
import type { ServerProgram } from './server-process';

const START_TIMEOUT_MS = 20_000;
/** A node that has just started takes writes, and trusts the other nodes, only after some seconds. */
const CLUSTER_TIMEOUT_MS = 20_000;
const SLOTS = 16_384;
const CLUSTER_NODES = 3;

export interface RedisServerOptions {
  /** Appends every write to a file, so that a restart on the same folder finds it again. */
  readonly appendOnly?: boolean;
  /** One node that serves all slots. */
  readonly cluster?: boolean;
  /** More of the server's command line. */
  readonly args?: readonly string[];
}

export type RedisServer = Omit<PrivateServer, 'start'>;

export interface RedisCluster {
  /** Of all its nodes, with commas between. */
  readonly url: string;
  /** Masters, each with its share of the slots, in their order. */
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

export async function startRedis({
  appendOnly = false,
  cluster = false,
  args = [],
}: RedisServerOptions = {}): Promise<RedisServer> {
  const node = new Node(await freePort(), appendOnly, cluster ? await freePort() : undefined, args);
  await node.start();
  if (cluster) await orStop([node], formCluster([node]));
  return node;
}

/** Nodes that share the slots, without replicas. */
export async function startRedisCluster({ appendOnly = false } = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: CLUSTER_NODES }, async () => new Node(await freePort(), appendOnly, await freePort())),
  );
  await orStop(nodes, Promise.all(nodes.map((node) => node.start())));
  await orStop(nodes, formCluster(nodes));
  const url = nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
  return { url, nodes, stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))) };
}

class Node extends PrivateServer {
  constructor(
    port: number,
    private readonly appendOnly: boolean,
    /** Undefined outside a cluster. */
    readonly busPort?: number,
    private readonly more: readonly string[] = [],
  ) {
    super('redis', port);
  }

  /**
   * Starts it again if it is not running: empty, unless it is append-only. The node of a cluster is back when it knows
   * that all slots are served: nodes that were killed together restart together.
   */
  override async restart(): Promise<void> {
    if (this.isRunning) return;
    await this.start();
    if (this.busPort !== undefined) await this.untilClusterIsUp();
  }

  untilClusterIsUp(): Promise<boolean> {
    const isUp = async () => (await this.ask('CLUSTER INFO')).includes('cluster_state:ok');
    return until('all slots are served', isUp, CLUSTER_TIMEOUT_MS);
  }

  /** Its first reply to an inline command; empty while it is not running. */
  ask(command: string): Promise<string> {
    return firstAnswer(this.port, command);
  }

  protected program(): ServerProgram {
    return {
      path: findOrInstall('redis-server'),
      args: this.args().map(String),
      answers: async (pid) => (await this.ask('INFO server')).includes(`process_id:${pid}\r`),
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }

  private args(): (string | number)[] {
    const args = [
      '--port',
      this.port,
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--save',
      '',
      '--loglevel',
      'warning',
    ];
    args.push('--appendonly', this.appendOnly ? 'yes' : 'no', '--appendfsync', 'always');
    if (this.busPort !== undefined) {
      // The default bus port, 10,000 above, may not exist; a lone node does not learn its own address from other nodes.
      args.push('--cluster-enabled', 'yes', '--cluster-port', this.busPort, '--cluster-announce-ip', '127.0.0.1');
    }
    return [...args, ...this.more];
  }
}

async function formCluster(nodes: readonly Node[]): Promise<void> {
  const [first] = nodes as [Node];
  const firstSlot = (i: number) => Math.floor((SLOTS * i) / nodes.length);
  for (const [i, node] of nodes.entries()) {
    await node.ask(`CLUSTER ADDSLOTSRANGE ${firstSlot(i)} ${firstSlot(i + 1) - 1}`);
    // Nodes begin with equal epochs, which they would have to resolve among themselves.
    await node.ask(`CLUSTER SET-CONFIG-EPOCH ${i + 1}`);
    if (node !== first) await first.ask(`CLUSTER MEET 127.0.0.1 ${node.port} ${node.busPort}`);
  }
  await Promise.all(nodes.map((node) => node.untilClusterIsUp()));
}

async function orStop<T>(nodes: readonly Node[], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()));
    throw error;
  }
}
