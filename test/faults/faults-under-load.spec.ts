import { faultSuite } from './fault-suite';
import { FAULTS } from './faults';

describe('nothing acknowledged is lost or undone, nothing older is returned, while', () => {
  faultSuite(FAULTS);
});
