import { runSeeds, type SeedRange } from './seed-range';

/** A process that runs the seeds of which it is told by its parent. */
async function work(range: SeedRange): Promise<void> {
  const progress = await runSeeds(range, (soFar) => process.send?.(soFar));
  process.send?.({ ...progress, isDone: true }, () => process.disconnect());
}

// What a stack says of an error that a schedule is full of is of no use, and costs most of the time.
Error.stackTraceLimit = 0;
process.once('message', (range: SeedRange) => void work(range));
