import { measureDrain } from './drain';
import { measureFairness } from './fairness';
import { measureEvents } from './events';
import { measureGrowth } from './growth';
import { measureLoad } from './load';
import { measureRoundTrips } from './round-trips';

const MEASUREMENTS = {
  'round-trips': measureRoundTrips,
  load: measureLoad,
  events: measureEvents,
  drain: measureDrain,
  fairness: measureFairness,
  growth: measureGrowth,
};

/** Takes the names of measurements and runs them in that order; without names, runs all of them. Prints Markdown. */
async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(MEASUREMENTS, name));
  if (unknown) throw new Error(`unknown measurement ${unknown}; there are: ${Object.keys(MEASUREMENTS).join(', ')}`);
  const chosen = names.length > 0 ? names : Object.keys(MEASUREMENTS);
  for (const name of chosen) {
    const report = await MEASUREMENTS[name as keyof typeof MEASUREMENTS]();
    process.stdout.write(`${report}\n`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
