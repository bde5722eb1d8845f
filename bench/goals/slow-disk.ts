import { startPostgres } from '../../test/support/postgres-server';
import { startRedis } from '../../test/support/redis-server';
import { atLeast, type Outcome } from '../report/goal';
import { withServer } from '../servers/with-servers';
import { measureLoadGoals, perBare, tasksForGoals, type LoadGoal } from './load-goal';
import { targetsOf, withPairOn } from './pair';
import type { Scene, SceneWork } from './scene';

const NAME = 'slow-commits';
const COMMIT_MS = [2, 5];
const MANY_CONNECTIONS = [32, 64];

/** PostgreSQL waits so long before each flush of its log, with whatever sessions wait for the same flush. */
export const SLOW_DISK: Scene = {
  names: [NAME],
  measure: async (work) => {
    const outcomes: Outcome[] = [];
    for (const commitMs of COMMIT_MS) outcomes.push(...(await measureWith(commitMs, work)));
    return outcomes;
  },
};

function goalsWith(commitMs: number): LoadGoal[] {
  const title = (kind: string, connections: number) => {
    return `create, ${kind}, commits of ${commitMs} ms, ${connections} connection${connections > 1 ? 's' : ''}`;
  };
  const alone = perBare(NAME, title('overwrite', 1), 'create, overwrite', 1);
  return [
    { ...alone, goal: atLeast(0.95, '× bare') },
    ...MANY_CONNECTIONS.flatMap((connections) => [
      {
        ...perBare(NAME, title('new key', connections), 'create, new', connections),
        goal: atLeast(1, '× bare'),
      },
      {
        ...perBare(NAME, title('overwrite', connections), 'create, overwrite', connections),
        goal: atLeast(1, '× bare'),
      },
    ]),
  ];
}

function measureWith(commitMs: number, { generator, options }: SceneWork): Promise<Outcome[]> {
  // Without other active sessions, and without `fsync`, PostgreSQL would not wait.
  const settings = ['fsync=on', 'commit_siblings=0', `commit_delay=${commitMs * 1000}`];
  return withServer(startPostgres({ settings }), (postgres) =>
    withServer(startRedis(), (redis) => {
      const goals = goalsWith(commitMs);
      return withPairOn({ postgres, redis }, tasksForGoals(goals), (pair) =>
        measureLoadGoals(generator, targetsOf(pair), goals, options),
      );
    }),
  );
}
