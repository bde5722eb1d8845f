import { BenchError } from './bench-error';
import { measureDrain } from './drain';
import { measureEvents } from './events';
import { measureFairness } from './fairness/fairness';
import { compare } from './goals/compare';
import { measureGoals } from './goals/goals';
import { measureGrowth } from './growth';
import { parseOptions, type BenchOptions } from './options';
import { drawPlots } from './plots/plots';
import { measureProfile } from './profile/profile';
import { measureRoundTrips } from './round-trips';

type Measurement = (options: BenchOptions) => Promise<string>;

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  'round-trips': measureRoundTrips,
  goals: measureGoals,
  profile: measureProfile,
  plots: drawPlots,
  events: measureEvents,
  drain: measureDrain,
  fairness: measureFairness,
  growth: measureGrowth,
};

/** Runs the measurements that the arguments name, in that order; without names, all of them. Prints Markdown. */
async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  const known: Readonly<Record<string, Measurement>> = options.compareUrl ? { compare } : MEASUREMENTS;
  const names = options.names.length > 0 ? options.names : Object.keys(known);
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown) {
    throw new BenchError(`unknown measurement ${unknown}; there are: ${Object.keys(MEASUREMENTS).join(', ')}, compare`);
  }
  for (const name of names) process.stdout.write(`${await known[name]?.(options)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const text = error instanceof BenchError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`bench: ${text}\n`);
  process.exitCode = 1;
});
