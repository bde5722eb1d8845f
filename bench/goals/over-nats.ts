import { atLeast } from '../report/goal';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetsOf, withPairOverNats } from './pair';
import type { Scene } from './scene';

const GOALS: readonly LoadGoal[] = [{ ...perBare('nats', 'get over NATS', 'get'), goal: atLeast(0.6, '× bare') }];

export const OVER_NATS: Scene = {
  names: ['nats'],
  measure: ({ generator, options }) =>
    withPairOverNats(tasksForGoals(GOALS), (pair) => measureLoadGoals(generator, targetsOf(pair), GOALS, options)),
};
