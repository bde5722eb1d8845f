import { SCENARIOS } from './scenarios';
import { runSeeds } from './seed-range';

const SEEDS = 2000;

/** More of them, and the shortest story of one that fails: npm run simulate -- --seeds 20000 */
describe('the use cases on stores that fail', () => {
  const stackTraceLimit = Error.stackTraceLimit;

  beforeAll(() => {
    // Schedules are full of errors, and their stacks are never read.
    Error.stackTraceLimit = 0;
  });

  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it.each(SCENARIOS.map(({ name }) => name))('%s', async (scenario) => {
    const until = Math.ceil(SEEDS / SCENARIOS.length);
    const { schedules, failures } = await runSeeds({ from: 0, until, step: 1, scenario, maxFailures: 5 });
    expect(failures).toEqual([]);
    expect(schedules).toBe(until);
  });
});
