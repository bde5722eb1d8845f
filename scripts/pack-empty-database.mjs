// Puts a database with the schema of this build beside it, from which the embedded database begins: to run the migrations would
// be half of what its first start costs. Without the archive it runs them.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import { dataDir } from '@electric-sql/pglite-prepopulatedfs';

const require = createRequire(import.meta.url);
const { UNNAMED } = require('../dist/outbound/postgres/empty-database.js');
const { runMigrations } = require('../dist/outbound/postgres/migrate.js');

const pglite = await PGlite.create({ loadDataDir: await dataDir() });
await runMigrations({ migrating: { type: 'postgres', extra: { ...createPgConfig(pglite), idleTimeoutMillis: 0 } } });
// Each copy gets an identity of its own when it is opened for the first time.
await pglite.exec(`
  UPDATE database_identity SET database_id = '${UNNAMED}', epoch = '${UNNAMED}';
  UPDATE event_position_key SET key = '';
  CHECKPOINT;
`);
const archive = await pglite.dumpDataDir('gzip');
await pglite.close();
writeFileSync('dist/empty-database.tgz', Buffer.from(await archive.arrayBuffer()));
