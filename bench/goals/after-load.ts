import { setTimeout as sleep } from 'node:timers/promises';
import { seed } from '../load/dataset';
import type { Target } from '../load/load-generator-process';
import { cpuOfAll, IDLE_SHARE, pidsOf, untilIdle } from '../load/until-idle';
import { tasksFor } from '../load/workloads';
import { atMost, type Outcome } from '../report/goal';
import { median } from '../report/statistics';
import { RpcClient } from '../rpc-client';
import { ServerProcess } from '../servers/server-process';
import { withServer, withStores } from '../servers/with-servers';
import { CONNECTIONS } from './load-goal';
import { targetOf, type Scene, type SceneWork } from './scene';

const WORKLOAD = 'create, overwrite';
const SAMPLE_MS = 100;
/** The kernel counts each process by hundredths of a second: over less, idle processes seem busy now and then. */
const BUSY_SAMPLES = 5;
const WATCH_MS = 5000;
export interface CpuSample {
  readonly atMs: number;
  /** Of the service and its stores, since their starts. */
  readonly cpuMicros: number;
}

/** What goes on after the last reply. */
export interface Aftermath {
  readonly busyMs: number;
  /** Beyond what the same processes take when they are idle. */
  readonly cpuMicros: number;
}

export const AFTER_LOAD: Scene = {
  names: ['after-load'],
  measure: (work) =>
    withStores((postgres, redis) =>
      withServer(ServerProcess.service({ DATABASE_URL: postgres.url, REDIS_URL: redis.url }), async (service) => {
        const dataset = await seed(new RpcClient(service.rpcUrl), tasksFor([WORKLOAD]));
        return measureAfter(targetOf([service], dataset, { postgres, redis }), work);
      }),
    ),
};

async function measureAfter(target: Target, { generator, options }: SceneWork): Promise<Outcome[]> {
  const load = { workload: WORKLOAD, connections: CONNECTIONS } as const;
  const rounds: { busyMs: number; microsPerRequest: number }[] = [];
  for (let round = 0; round < options.rounds; round++) {
    await untilIdle([target]);
    const recorder = new CpuRecorder(target);
    await sleep(WATCH_MS / 2);
    const idleFrom = recorder.samples[0] as CpuSample;
    const idleTo = recorder.samples.at(-1) as CpuSample;
    const { requests, endedAtMs } = await generator.measureAtOnce(target, load, options.seconds);
    await sleep(WATCH_MS);
    const idleMicrosPerMs = (idleTo.cpuMicros - idleFrom.cpuMicros) / (idleTo.atMs - idleFrom.atMs);
    const { busyMs, cpuMicros } = aftermathOf(recorder.stop(), endedAtMs, idleMicrosPerMs);
    rounds.push({ busyMs, microsPerRequest: cpuMicros / requests });
  }
  return [
    {
      work: 'after overwrites: goes on working for',
      goal: atMost(0.9, 's'),
      reached: median(rounds.map(({ busyMs }) => busyMs)) / 1000,
    },
    {
      work: 'after overwrites: CPU of service and stores for each',
      goal: atMost(86, 'µs'),
      reached: median(rounds.map(({ microsPerRequest }) => microsPerRequest)),
    },
  ];
}

class CpuRecorder {
  readonly samples: CpuSample[] = [];
  private readonly pids: readonly number[];
  private readonly timer: NodeJS.Timeout;

  constructor(target: Target) {
    this.pids = pidsOf(target);
    this.record();
    this.timer = setInterval(() => this.record(), SAMPLE_MS);
  }

  stop(): readonly CpuSample[] {
    clearInterval(this.timer);
    return this.samples;
  }

  private record(): void {
    this.samples.push({ atMs: Date.now(), cpuMicros: cpuOfAll(this.pids) });
  }
}

/**
 * From samples of a load that ended at `endedAtMs`, and of the time after it. It counts as busy up to the end of the
 * last half second in which more than a fifth of a core was taken.
 */
export function aftermathOf(samples: readonly CpuSample[], endedAtMs: number, idleMicrosPerMs: number): Aftermath {
  const after = samples.filter(({ atMs }) => atMs >= endedAtMs);
  const [first, last] = [after[0], after.at(-1)];
  if (!first || !last) return { busyMs: NaN, cpuMicros: NaN };
  const isBusy = (sample: CpuSample, before: CpuSample) =>
    sample.cpuMicros - before.cpuMicros > IDLE_SHARE * 1000 * (sample.atMs - before.atMs);
  const lastBusy = after.findLast((sample, i) => isBusy(sample, after[Math.max(0, i - BUSY_SAMPLES)] as CpuSample));
  return {
    busyMs: lastBusy ? lastBusy.atMs - endedAtMs : 0,
    cpuMicros: Math.max(0, last.cpuMicros - first.cpuMicros - idleMicrosPerMs * (last.atMs - first.atMs)),
  };
}
