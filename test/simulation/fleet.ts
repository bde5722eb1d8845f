import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Failure, Progress, SeedRange } from './seed-range';
import type { Mutant } from './mutants';

const NODE_OPTIONS = ['--require', join(__dirname, 'register.cjs'), '--max-semi-space-size=32'];

export interface FleetOptions extends Omit<SeedRange, 'step'> {
  /** How many processes; as many as there are cores unless told otherwise. */
  readonly size?: number;
  /** The code is run with this change in it. */
  readonly mutant?: Mutant;
  report?(progress: Progress): void;
}

/** Runs the seeds in several processes at a time. */
export async function runFleet(options: FleetOptions): Promise<Progress> {
  const size = Math.min(options.size ?? availableParallelism(), options.until - options.from);
  const progress: Progress[] = [];
  const ships = Array.from({ length: size }, (_, i) =>
    sail(options, { ...options, from: options.from + i, step: size }, (soFar) => {
      progress[i] = soFar;
      options.report?.(sum(progress));
    }),
  );
  try {
    await Promise.all(ships.map(({ end }) => end));
  } finally {
    for (const { child } of ships) child.kill();
  }
  return sum(progress);
}

function sail(
  { mutant }: FleetOptions,
  { from, until, step, scenario, maxFailures }: SeedRange,
  report: (progress: Progress) => void,
): { child: ChildProcess; end: Promise<void> } {
  const patches = JSON.stringify(mutant ? [mutant] : []);
  const child = fork(join(__dirname, 'worker.ts'), {
    execArgv: NODE_OPTIONS,
    env: { ...process.env, SIMULATION_PATCHES: patches },
  });
  const end = new Promise<void>((resolve, reject) => {
    let isDone = false;
    child.on('message', (progress: Progress & { isDone?: boolean }) => {
      report(progress);
      isDone ||= progress.isDone === true;
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      if (isDone) resolve();
      else reject(new Error(`a process of the simulation ended with ${code ?? signal}`));
    });
  });
  child.send({ from, until, step, scenario, maxFailures });
  return { child, end };
}

function sum(all: readonly Progress[]): Progress {
  const done = all.filter((one) => one !== undefined);
  return {
    schedules: done.reduce((total, { schedules }) => total + schedules, 0),
    failures: done.flatMap(({ failures }): readonly Failure[] => failures).sort((a, b) => a.seed - b.seed),
  };
}
