import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Profiler } from 'node:inspector';
import { join, resolve } from 'node:path';
import { askChild } from '../load/ask-child';
import { cpuMicrosOf } from './cpu-time';

const END_WITH_PARENT = join(__dirname, 'end-with-parent.js');
const PROFILER = join(__dirname, '../profile/profiler.js');
const BARE_SERVER = join(__dirname, 'bare-server.js');
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 5;

/** An HTTP server in a separate process, on a free port of the loopback address. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** The built service. `env` is its whole environment. */
  static service(env: Readonly<Record<string, string>>): Promise<ServerProcess> {
    return ServerProcess.start(resolve('dist/main.js'), [], { ...env, PORT: '0' });
  }

  /** The server that the service is compared with; see `bare-server.ts` for its arguments. */
  static bare(...args: readonly string[]): Promise<ServerProcess> {
    return ServerProcess.start(BARE_SERVER, args, {});
  }

  private static async start(script: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    const child = fork(script, args, {
      env,
      execArgv: ['--require', END_WITH_PARENT, '--require', PROFILER],
      silent: true,
    });
    try {
      const server = new ServerProcess(child, await listeningUrl(child));
      await server.untilStarted();
      return server;
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Of its JSON-RPC endpoint. */
  get rpcUrl(): string {
    return `${this.url}/rpc`;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** CPU time of all threads of the process since its start, in µs. */
  get cpuMicros(): number {
    return cpuMicrosOf(this.pid);
  }

  /** What the process does while the work is done. */
  async profile<T>(work: () => Promise<T>): Promise<{ result: T; profile: Profiler.Profile }> {
    await askChild(this.child, {});
    const result = await work();
    return { result, profile: await askChild<Profiler.Profile>(this.child, {}) };
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }

  private async untilStarted(): Promise<void> {
    const signal = AbortSignal.timeout(START_TIMEOUT_MS);
    while (!(await fetch(`${this.url}/startupz`, { signal })).ok) {
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
  }
}

/** The address of a server that prints "listening on <url>". */
function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = () => reject(new Error(`a server did not start: ${output}`));
    const timer = setTimeout(fail, START_TIMEOUT_MS);
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8192);
      const [, url] = /listening on (http:\/\/[\d.]+:\d+)/.exec(output) ?? [];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => {
      clearTimeout(timer);
      fail();
    });
  });
}
