import { HARNESSES } from './attachment-store.harness';
import { describeTaskStore } from './task-store.contract';

for (const [name, open] of HARNESSES) describeTaskStore(name, open);
