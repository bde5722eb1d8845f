import { describeAttachmentStore } from './attachment-store.contract';
import { HARNESSES } from './attachment-store.harness';

for (const [name, open] of HARNESSES) describeAttachmentStore(name, open);
