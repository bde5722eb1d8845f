import { atLeast } from '../report/goal';
import { withFolder } from '../servers/with-folder';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetsOf, withEmbeddedPair } from './pair';
import type { Scene } from './scene';

const GOALS: readonly LoadGoal[] = [
  { ...perBare('embedded', 'embedded: batch of 20 of 20 tasks', 'batch of 20 tasks'), goal: atLeast(0.6, '× bare') },
  { ...perBare('embedded', 'embedded: create, new key', 'create, new'), goal: atLeast(0.5, '× bare') },
];

export const EMBEDDED: Scene = {
  names: ['embedded'],
  measure: ({ generator, options }) =>
    withFolder((folder) =>
      withEmbeddedPair(folder, tasksForGoals(GOALS), (pair) =>
        measureLoadGoals(generator, targetsOf(pair), GOALS, options),
      ),
    ),
};
