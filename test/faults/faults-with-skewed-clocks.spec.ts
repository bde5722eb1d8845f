import { until } from '../support/poll';
import { faultSuite } from './fault-suite';
import { FAULTS_OF_ORDER } from './faults';
import type { Replica } from './replica-group';

/** The clocks of replicas and Redis may be 100 ms apart. That of Redis is right. */
const CLOCKS_AHEAD_MS = [45, -45, 20];

describe('with clocks that differ, nothing acknowledged is lost or undone, nothing older is returned, while', () => {
  const group = faultSuite(FAULTS_OF_ORDER, { clocksAheadMs: CLOCKS_AHEAD_MS });

  it('the later of two tasks may have the earlier time', async () => {
    const [ahead, behind] = group().replicas as [Replica, Replica];
    const create = ({ service }: Replica) => service.result<{ createdAt: string }>('task.create', { text: 'x' });
    const isTurnedRound = async () => (await create(ahead)).createdAt > (await create(behind)).createdAt;
    await until('the second of two tasks has the earlier time', isTurnedRound);
  });
});
