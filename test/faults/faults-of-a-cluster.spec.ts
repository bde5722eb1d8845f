import { faultSuite } from './fault-suite';
import { FAULTS_OF_CLUSTER } from './faults';

describe('on a Redis Cluster, nothing acknowledged is lost or undone, nothing older is returned, while', () => {
  faultSuite(FAULTS_OF_CLUSTER, { isCluster: true, tasks: 8 });
});
