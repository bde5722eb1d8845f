// Writes docs/methods.md from the description of the methods, as the built service has it.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { methodReference } = createRequire(import.meta.url)('../dist/inbound/docs/method-reference.js');
writeFileSync('docs/methods.md', methodReference());
