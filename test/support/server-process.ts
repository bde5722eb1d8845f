import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { pauseProcesses, resumeProcesses } from './pause-processes';
import { until } from './poll';
import { spawnMortal } from './spawn-mortal';

const KEPT_OUTPUT_LENGTH = 4096;

export interface ServerProgram {
  readonly path: string;
  readonly args: readonly string[];
  readonly options?: SpawnOptions;
  /** The signal that ends it when the test's process ends. */
  readonly deathSignal?: 'SIGKILL' | 'SIGQUIT';
  /** Whether the process `pid` answers, and not another that has taken its port first. */
  readonly answers: (pid: number) => Promise<boolean>;
  readonly startTimeoutMs: number;
}

/** The process of a server, from its start to its end. */
export class ServerProcess {
  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when it answers; otherwise throws an error with its last output. */
  static async start({ path, args, options, deathSignal, answers, startTimeoutMs }: ServerProgram) {
    const child = spawnMortal(path, args, options, deathSignal);
    const server = new ServerProcess(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-KEPT_OUTPUT_LENGTH)));
    }
    try {
      await until('it answers', async () => server.hasEnded || (await answers(server.pid)), startTimeoutMs);
      if (server.hasEnded) throw new Error(`it ended with exit code ${child.exitCode}`);
      return server;
    } catch (error) {
      await server.end('SIGKILL');
      throw new Error(`${path} did not start:\n${output}`, { cause: error });
    }
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  pause(): void {
    if (!this.hasEnded) pauseProcesses([this.pid]);
  }

  resume(): void {
    if (!this.hasEnded) resumeProcesses([this.pid]);
  }

  /** Resolves when it has ended, because of this signal or before. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}
