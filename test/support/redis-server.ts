import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { until } from './poll';
import { spawnMortal } from './spawn-mortal';

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
  /** It stays connected and answers nothing, until `resume`. */
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
  private child?: ChildProcess;

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
    return this.child?.pid as number;
  }

  async start(): Promise<void> {
    const binary = findOrInstall('redis-server', { apt: 'redis-server', brew: 'redis' });
    const child = spawnMortal(binary, this.args().map(String));
    this.child = child;
    let output = '';
    child.stdout?.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-4096)));
    // Its own id: another server may have taken the port first.
    const isUp = async () => hasEnded(child) || (await this.ask('INFO server')).includes(`process_id:${child.pid}\r`);
    try {
      await until('redis-server answers', isUp, START_TIMEOUT_MS);
      if (hasEnded(child)) throw new Error(`it ended with exit code ${child.exitCode}`);
    } catch (error) {
      await this.stop();
      throw new Error(`redis-server did not start:\n${output}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.resume();
    await this.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  async restart(): Promise<void> {
    if (this.child && !hasEnded(this.child)) return;
    await this.start();
    if (this.busPort !== undefined) await this.untilClusterIsUp();
  }

  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  untilClusterIsUp(): Promise<boolean> {
    const isUp = async () => (await this.ask('CLUSTER INFO')).includes('cluster_state:ok');
    return until('all slots are served', isUp, CLUSTER_TIMEOUT_MS);
  }

  /** What it answers to an inline command first; empty while it is not there. */
  ask(command: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      const finish = (answer: string) => {
        socket.destroy();
        resolve(answer);
      };
      socket.once('data', (data) => finish(data.toString()));
      socket.once('error', () => finish(''));
      socket.once('close', () => finish(''));
    });
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

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.child || hasEnded(this.child)) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    await ended;
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

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
