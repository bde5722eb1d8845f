import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstAnswer } from './first-answer';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { ServerProcess } from './server-process';

const START_TIMEOUT_MS = 10_000;
/** A node that has just started takes writes, and believes the others, only after some seconds. */
const CLUSTER_TIMEOUT_MS = 20_000;
const SLOTS = 16_384;
const CLUSTER_NODES = 3;

export interface RedisServerOptions {
  /** Appends every write to a file, so that a restart on the same folder finds it again. */
  readonly appendOnly?: boolean;
  /** One node that serves all slots. */
  readonly cluster?: boolean;
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it in order and removes its folder. */
  stop(): Promise<void>;
  /** Ends it as a crash would; `restart` brings it back. */
  kill(): Promise<void>;
  /**
   * Starts it again, if it is not running, on the same port and folder: empty, unless it is append-only. The node of a
   * cluster is back when it knows that all slots are served: nodes that were killed together restart together.
   */
  restart(): Promise<void>;
  /** It keeps its connections, and replies to nothing that is sent from now on until `resume`. */
  pause(): void;
  resume(): void;
}

export interface RedisCluster {
  /** Of all its nodes, with commas between. */
  readonly url: string;
  /** Masters, each with its share of the slots, in their order. */
  readonly nodes: readonly RedisServer[];
  stop(): Promise<void>;
}

/** A Redis of the test's own, on a free port, that dies with the test's process. */
export async function startRedis({
  appendOnly = false,
  cluster = false,
}: RedisServerOptions = {}): Promise<RedisServer> {
  const node = new Node(await freePort(), appendOnly, cluster ? await freePort() : undefined);
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

class Node implements RedisServer {
  private readonly folder = mkdtempSync(join(tmpdir(), 'dossier-redis-'));
  private server?: ServerProcess;

  constructor(
    readonly port: number,
    private readonly appendOnly: boolean,
    /** Undefined outside a cluster. */
    readonly busPort?: number,
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.server?.pid as number;
  }

  async start(): Promise<void> {
    try {
      this.server = await ServerProcess.start({
        path: findOrInstall('redis-server'),
        args: this.args().map(String),
        answers: async (pid) => (await this.ask('INFO server')).includes(`process_id:${pid}\r`),
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

  async restart(): Promise<void> {
    if (this.server?.hasEnded === false) return;
    await this.start();
    if (this.busPort !== undefined) await this.untilClusterIsUp();
  }

  pause(): void {
    this.server?.pause();
  }

  resume(): void {
    this.server?.resume();
  }

  untilClusterIsUp(): Promise<boolean> {
    const isUp = async () => (await this.ask('CLUSTER INFO')).includes('cluster_state:ok');
    return until('all slots are served', isUp, CLUSTER_TIMEOUT_MS);
  }

  /** What it answers to an inline command first; empty while it is not there. */
  ask(command: string): Promise<string> {
    return firstAnswer(this.port, command);
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
      // The usual bus port, 10,000 above, may not exist; a lone node does not learn its own address from others.
      args.push('--cluster-enabled', 'yes', '--cluster-port', this.busPort, '--cluster-announce-ip', '127.0.0.1');
    }
    return args;
  }
}

async function formCluster(nodes: readonly Node[]): Promise<void> {
  const [first] = nodes as [Node];
  const firstSlot = (i: number) => Math.floor((SLOTS * i) / nodes.length);
  for (const [i, node] of nodes.entries()) {
    await node.ask(`CLUSTER ADDSLOTSRANGE ${firstSlot(i)} ${firstSlot(i + 1) - 1}`);
    // Of equal ones, as nodes begin, one would have to give way.
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
