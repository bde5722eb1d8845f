import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMicrosOf } from '../servers/cpu-time';
import type { Target } from './load-generator-process';

const LOOK_MS = 200;
const GIVE_UP_MS = 10_000;

/** Of one core. Replicas without any call, with their stores, take less. */
export const IDLE_SHARE = 0.2;

/**
 * Waits until the servers and their stores have done what an earlier load has left to them, so that it does not slow down
 * another server. Gives up after ten seconds.
 */
export async function untilIdle(targets: readonly Target[]): Promise<void> {
  const pids = [...new Set(targets.flatMap(pidsOf))];
  const giveUpAtMs = performance.now() + GIVE_UP_MS;
  let share = pids.length > 0 ? Infinity : 0;
  while (share > IDLE_SHARE && performance.now() < giveUpAtMs) {
    const before = { cpuMicros: cpuOfAll(pids), atMs: performance.now() };
    await sleep(LOOK_MS);
    share = (cpuOfAll(pids) - before.cpuMicros) / 1000 / (performance.now() - before.atMs);
  }
}

/** Of all its processes on this machine. */
export function pidsOf({ processes }: Target): number[] {
  const { node = [], postgres, redis } = processes ?? {};
  return [...node, postgres, redis].filter((pid) => pid !== undefined);
}

export function cpuOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMicrosOf(pid), 0);
}
