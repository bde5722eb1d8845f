import type { Plan } from './plan';
import { runSchedule } from './schedule';

const MAX_RUNS = 4000;
/** With less in it, a schedule takes other turns: others of the network's moods may show the same. */
const NETWORK_SEEDS = 4;
const FAIR_WEATHER = { lossShare: 0, slowShare: 0 };

/**
 * The smallest plan that is found to break the same rule: fewer operations, fewer faults, fair weather, equal clocks.
 */
export async function shrink(plan: Plan, rule: string): Promise<Plan> {
  let smallest = plan;
  let runs = 0;
  const breaks = async (candidate: Plan): Promise<Plan | undefined> => {
    for (let i = 0; i < NETWORK_SEEDS && runs < MAX_RUNS; i++, runs++) {
      const seeded = { ...candidate, networkSeed: plan.networkSeed + i };
      const { violation } = await runSchedule(seeded);
      if (violation?.rule === rule) return seeded;
    }
    return undefined;
  };
  for (let before; before !== smallest && runs < MAX_RUNS;) {
    before = smallest;
    for (const simpler of simplerOnes(smallest)) smallest = (await breaks(simpler(smallest))) ?? smallest;
  }
  return smallest;
}

type Simplification = (plan: Plan) => Plan;

function simplerOnes(plan: Plan): Simplification[] {
  const simpler: Simplification[] = [];
  if (plan.weather.slowShare + plan.weather.lossShare > 0) {
    simpler.push((one) => ({ ...one, weather: { ...one.weather, ...FAIR_WEATHER } }));
  }
  if (plan.skewsMs.some((skew) => skew !== 0)) simpler.push((one) => ({ ...one, skewsMs: one.skewsMs.map(() => 0) }));
  for (let size = plan.operations.length >> 1; size >= 1; size >>= 1) {
    for (let end = plan.operations.length; end > 0; end -= size) {
      const dropped = new Set(plan.operations.slice(Math.max(end - size, 0), end));
      simpler.push((one) => ({ ...one, operations: one.operations.filter((operation) => !dropped.has(operation)) }));
    }
  }
  for (const fault of plan.faults) {
    simpler.push((one) => ({ ...one, faults: one.faults.filter((other) => other !== fault) }));
  }
  return simpler;
}
