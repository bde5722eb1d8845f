// Writes the types of the client from the description of the methods, errors and events, as the built service has it.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { clientSources } = createRequire(import.meta.url)('../dist/inbound/docs/client-sources.js');
for (const [file, text] of Object.entries(clientSources())) writeFileSync(join('client/src/generated', file), text);
