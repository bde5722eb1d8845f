import { atLeast, atMost } from '../report/goal';
import { withStores } from '../servers/with-servers';
import { measureLoadGoals, onService, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetsOf, withPairOn } from './pair';
import type { Scene } from './scene';

const WRITERS = 256;

const get = onService('get');
const crowd = onService('one task, many writers', WRITERS);

const GOALS: readonly LoadGoal[] = [
  { ...perBare('get', 'get, cache hit', 'get'), goal: atLeast(0.6, '× bare') },
  { ...perBare('get', 'get, cache hit: p99', 'get'), metric: 'p99, ms', goal: atMost(3, '× bare') },
  { ...perBare('list', 'list 20 of 20', 'list'), goal: atLeast(0.8, '× bare') },
  { ...perBare('list', 'list 20 of 10,000', 'list of 10,000'), goal: atLeast(0.8, '× bare') },
  {
    name: 'list',
    work: 'list 20 of 10,000, beside 20 of 20',
    of: onService('list of 10,000'),
    per: onService('list'),
    goal: atLeast(0.9, '× list 20 of 20'),
  },
  {
    name: 'list',
    work: 'list 20 of 10,000 by `keyPrefix`, beside 20 of 20',
    of: onService('list of 10,000 by prefix'),
    per: onService('list by prefix'),
    goal: atLeast(0.9, '× the same of 20'),
  },
  { ...perBare('batch', 'batch of 20 of one task', 'batch of one task'), goal: atLeast(1, '× bare') },
  { ...perBare('batch', 'batch of 20 of 20 tasks', 'batch of 20 tasks'), goal: atLeast(1, '× bare') },
  {
    name: 'batch',
    work: 'batch of 20 of 20 tasks, beside 3 gets',
    of: onService('batch of 20 tasks'),
    per: get,
    weight: 3,
    goal: atLeast(1, '× 3 gets'),
  },
  {
    name: 'json-rpc-batch',
    work: 'JSON-RPC batch of 20 gets',
    of: onService('batch of 20 gets'),
    per: get,
    weight: 20,
    goal: atLeast(3, '× 20 single gets'),
  },
  { ...perBare('create', 'create, new key', 'create, new'), goal: atLeast(0.6, '× bare') },
  { ...perBare('create', 'create, overwrite', 'create, overwrite'), goal: atLeast(0.6, '× bare') },
  { name: 'crowd', work: '256 writers on one task: p99', of: crowd, metric: 'p99, ms', goal: atMost(300, 'ms') },
  {
    name: 'crowd',
    work: '256 writers on one task: failures',
    of: crowd,
    metric: 'failures',
    goal: atMost(0, 'failed'),
  },
];

/** PostgreSQL without `fsync`: the cost of the software, and not of the disk. */
export const FAST_DISK: Scene = {
  names: [...new Set(GOALS.map(({ name }) => name))],
  measure: ({ generator, options, isChosen }) =>
    withStores((postgres, redis) => {
      const goals = GOALS.filter(isChosen);
      return withPairOn({ postgres, redis }, tasksForGoals(goals), (pair) =>
        measureLoadGoals(generator, targetsOf(pair), goals, options),
      );
    }),
};
