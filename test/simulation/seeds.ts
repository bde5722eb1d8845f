import { planOf, type Plan, type Scenario } from './plan';
import { Random } from './random';
import { SCENARIOS } from './scenarios';

/** One seed, one schedule. Without a scenario, neighbouring seeds take turns through all of them. */
export function planOfSeed(seed: number, scenarioName?: string): Plan {
  return planOf(scenarioOf(seed, scenarioName), seed, new Random(seed));
}

function scenarioOf(seed: number, name: string | undefined): Scenario {
  const scenario = name === undefined ? SCENARIOS[seed % SCENARIOS.length] : SCENARIOS.find((one) => one.name === name);
  if (!scenario) throw new Error(`no scenario ${name}; there are: ${SCENARIOS.map((one) => one.name).join(', ')}`);
  return scenario;
}
