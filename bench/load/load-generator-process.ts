import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cpuMicrosOf } from '../servers/cpu-time';
import { askChild } from './ask-child';
import type { Dataset } from './dataset';
import type { Endpoint, LoadResult, LoadRun } from './load-run';
import type { WorkloadName } from './workloads';

const PROGRAM = join(__dirname, 'load-generator.js');
const WARM_UP_SECONDS = 0.5;

/** What is under load. */
export interface Target {
  readonly endpoint: Endpoint;
  readonly dataset: Dataset;
  /** The ids of its processes; unset: they are not on this machine, or not known. */
  readonly processes?: { readonly node: readonly number[]; readonly postgres?: number; readonly redis?: number };
}

export interface Load {
  readonly workload: WorkloadName;
  readonly connections: number;
  /** See `LoadRun`. */
  readonly requestsPerSecond?: number;
}

/** CPU time in µs. */
export interface CpuMicros {
  readonly node: number;
  readonly postgres?: number;
  readonly redis?: number;
}

export interface Sample {
  readonly requests: number;
  readonly failures: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of one request. */
  readonly cpuMicros?: CpuMicros;
  /** By the clock of the machine. */
  readonly endedAtMs: number;
}

/** The load comes from a separate process, so that it takes no CPU time from the measuring process. */
export class LoadGenerator {
  private constructor(private readonly child: ChildProcess) {}

  static start(): Promise<LoadGenerator> {
    // As JSON, messages would have null in the place of the latencies that a load without a reply does not have.
    return Promise.resolve(new LoadGenerator(fork(PROGRAM, { serialization: 'advanced' })));
  }

  /**
   * Warms the target up for half a second, then measures and says on standard error what it has seen. Requests that fail
   * are counted as well: see `failures`.
   */
  async measure(target: Target, load: Load, seconds: number): Promise<Sample> {
    await this.run(target, load, Math.min(WARM_UP_SECONDS, seconds));
    const sample = await this.measureAtOnce(target, load, seconds);
    const to = 'urls' in target.endpoint ? target.endpoint.urls.join(', ') : target.endpoint.nats;
    const rate = `${Math.round(sample.requestsPerSecond)} requests/s, p99 ${sample.p99Ms.toFixed(1)} ms`;
    process.stderr.write(`${load.workload}, ${load.connections} connections, ${to}: ${rate}\n`);
    return sample;
  }

  async measureAtOnce(target: Target, load: Load, seconds: number): Promise<Sample> {
    const before = cpuOf(target);
    const { requests, durationSeconds, ...rest } = await this.run(target, load, seconds);
    const after = cpuOf(target);
    const requestsPerSecond = requests / durationSeconds;
    return { ...rest, requests, requestsPerSecond, cpuMicros: before && after && perRequest(before, after, requests) };
  }

  async stop(): Promise<void> {
    if (!this.child.connected) return;
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }

  private run({ endpoint, dataset }: Target, load: Load, durationSeconds: number): Promise<LoadResult> {
    return askChild<LoadResult>(this.child, { endpoint, dataset, ...load, durationSeconds } satisfies LoadRun);
  }
}

function cpuOf({ processes }: Target): CpuMicros | undefined {
  if (!processes) return undefined;
  const { node, postgres, redis } = processes;
  return {
    node: node.reduce((sum, pid) => sum + cpuMicrosOf(pid), 0),
    postgres: postgres && cpuMicrosOf(postgres),
    redis: redis && cpuMicrosOf(redis),
  };
}

function perRequest(before: CpuMicros, after: CpuMicros, requests: number): CpuMicros {
  const between = (one?: number, other?: number) =>
    one === undefined || other === undefined ? undefined : (other - one) / requests;
  return {
    node: (after.node - before.node) / requests,
    postgres: between(before.postgres, after.postgres),
    redis: between(before.redis, after.redis),
  };
}
