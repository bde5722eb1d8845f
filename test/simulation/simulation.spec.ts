import { runFleet } from './fleet';
import { SCENARIOS } from './scenarios';

const SEEDS = 2000;

/**
 * More of them, and the shortest story of one that fails: npm run simulate -- --seeds 20000. In processes of their own,
 * as there: Jest's environment would run them ten times slower.
 */
describe('the use cases on stores that fail', () => {
  it.each(SCENARIOS.map(({ name }) => name))('%s', async (scenario) => {
    const until = Math.ceil(SEEDS / SCENARIOS.length);
    const { schedules, failures } = await runFleet({ from: 0, until, scenario, maxFailures: 5 });
    expect(failures).toEqual([]);
    expect(schedules).toBe(until);
  });
});
