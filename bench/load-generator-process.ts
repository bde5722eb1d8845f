import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { askChild } from './ask-child';
import type { LoadResult, LoadRun } from './load-generator';
import type { ServerProcess } from './server-process';
import type { WorkloadName } from './workloads';

const WARM_UP_SECONDS = 1;
const MEASURED_SECONDS = 4;

export interface Measurement {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerRequest: number;
}

/** The load comes from a separate process, so that it takes no CPU time from the measuring process. */
export class LoadGenerator {
  private constructor(private readonly child: ChildProcess) {}

  static start(): Promise<LoadGenerator> {
    return Promise.resolve(new LoadGenerator(fork(join(__dirname, 'load-generator.js'))));
  }

  /** Rejects if any request fails, because a failure may be cheaper than a reply. */
  async measure(server: ServerProcess, workload: WorkloadName): Promise<Measurement> {
    await this.run({ url: server.url, workload, durationSeconds: WARM_UP_SECONDS });
    const cpuMicrosBefore = await server.cpuMicros();
    const result = await this.run({ url: server.url, workload, durationSeconds: MEASURED_SECONDS });
    const cpuMicros = (await server.cpuMicros()) - cpuMicrosBefore;
    const { requests, durationSeconds, p50Ms, p99Ms } = result;
    const requestsPerSecond = requests / durationSeconds;
    process.stderr.write(`${workload}, ${server.url}: ${Math.round(requestsPerSecond)} requests/s\n`);
    return { requestsPerSecond, p50Ms, p99Ms, cpuMicrosPerRequest: cpuMicros / requests };
  }

  async stop(): Promise<void> {
    if (!this.child.connected) return;
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  private async run(run: LoadRun): Promise<LoadResult> {
    const result = await askChild<LoadResult>(this.child, run);
    if (result.failures > 0) throw new Error(`${run.workload}: ${result.failures} of ${result.requests} failed`);
    return result;
  }
}
