import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary, findOrInstall } from './installed-binary';

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

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
  /** Starts it again, if it is not running, on the same port and folder: empty, unless it is append-only. */
  restart(): Promise<void>;
  /** It stays connected and answers nothing, until `resume`. */
  pause(): void;
  resume(): void;
}

/** A Redis of the test's own, on a free port, that dies with the test's process. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'dossier-redis-'));
  const port = await freePort();
  let child = await launch(port, folder, options);
  const killWithParent = () => child.kill('SIGKILL');
  process.once('exit', killWithParent);

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid as number;
    },
    async stop() {
      process.off('exit', killWithParent);
      child.kill('SIGCONT');
      await end(child, 'SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
    kill: () => end(child, 'SIGKILL'),
    async restart() {
      if (hasEnded(child)) child = await launch(port, folder, options);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

async function launch(
  port: number,
  folder: string,
  { appendOnly, cluster }: RedisServerOptions,
): Promise<ChildProcess> {
  const binary = findOrInstall('redis-server', { apt: 'redis-server', brew: 'redis' });
  const args = ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--loglevel', 'warning'];
  args.push('--appendonly', appendOnly ? 'yes' : 'no', '--appendfsync', 'always');
  if (cluster) {
    // The usual bus port, 10,000 above, may not exist; a lone node does not learn its own address from others.
    args.push('--cluster-enabled', 'yes', '--cluster-port', await freePort(), '--cluster-announce-ip', '127.0.0.1');
  }
  const child = spawnMortal(binary, args.map(String));
  let output = '';
  child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
  try {
    // Its own id: another server may have taken the port first.
    await untilReply(port, 'INFO server', `process_id:${child.pid}\r`, child);
    if (cluster) {
      // A node that was restarted has its slots already, and answers with an error.
      await exchange(port, 'CLUSTER ADDSLOTSRANGE 0 16383');
      await untilReply(port, 'CLUSTER INFO', 'cluster_state:ok', child);
    }
    return child;
  } catch (error) {
    await end(child, 'SIGKILL');
    throw new Error(`redis-server did not start: ${output}`, { cause: error });
  }
}

/** Linux ends the server when the test's process dies, however it does; elsewhere only when it exits by itself. */
function spawnMortal(binary: string, args: string[]): ChildProcess {
  const setpriv = process.platform === 'linux' ? findBinary('setpriv') : undefined;
  return setpriv ? spawn(setpriv, ['--pdeathsig', 'KILL', binary, ...args]) : spawn(binary, args);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function untilReply(port: number, command: string, reply: string, child: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const answer = await exchange(port, command);
    if (answer.includes(reply)) return;
    if (hasEnded(child) || performance.now() > giveUpAt) throw new Error(`${command} was answered: ${answer}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** What the server answers to an inline command first; empty while it is not there. */
function exchange(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    const finish = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => finish(data.toString()));
    socket.once('error', () => finish(''));
    socket.once('close', () => finish(''));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
