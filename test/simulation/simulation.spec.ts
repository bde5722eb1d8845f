import { runFleet } from './fleet';
import { SCENARIOS } from './scenarios';
import type { Progress } from './seed-range';

/** Each scenario gets as many of them as the others. */
const SEEDS = 48 * SCENARIOS.length;
/** A busy machine may run ten of them in a second. */
const TIMEOUT_MS = 600_000;

/**
 * More of them, and the shortest story of one that fails: npm run simulate -- --seeds 20000. In processes of their own,
 * as there: Jest's environment would run them ten times slower. All scenarios are run by the same ones, whose start
 * takes as long as 25 schedules.
 */
describe('the use cases on stores that fail', () => {
  let progress: Progress;

  beforeAll(async () => {
    progress = await runFleet({ from: 0, until: SEEDS, maxFailures: SCENARIOS.length });
  }, TIMEOUT_MS);

  it.each(SCENARIOS.map(({ name }) => name))('%s', (name) => {
    expect(progress.failures.filter(({ scenario }) => scenario === name)).toEqual([]);
  });

  it('were run with all seeds', () => {
    expect(progress.schedules).toBe(SEEDS);
  });
});
