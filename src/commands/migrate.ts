import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import type { Database } from '../outbound/postgres/database';
import { revertMigrations, runMigrations, storedIn } from '../outbound/postgres/migrate';
import { UsageError } from './exit-code';
import { print, type OutputOptions } from './output';

const CONFIRMATION = '--yes-delete-everything';

export interface MigrateOptions extends OutputOptions {
  readonly yesDeleteEverything?: boolean;
}

export async function migrate(direction: 'up' | 'down', options: MigrateOptions): Promise<void> {
  const isConfirmed = options.yesDeleteEverything === true;
  if (isConfirmed && direction === 'up') throw new UsageError(`${CONFIRMATION} belongs to down`);
  const database = await openDatabase(loadConfig());
  try {
    await database.check();
    if (direction === 'up') await migrateUp(database, options);
    else await migrateDown(database, isConfirmed, options);
  } finally {
    await database.close();
  }
}

async function migrateUp(database: Database, options: OutputOptions): Promise<void> {
  const migrated = await runMigrations(database);
  print(options, { migrated }, migrated.length > 0 ? `migrated: ${migrated.join(', ')}` : 'up: nothing left to do');
}

async function migrateDown(database: Database, isConfirmed: boolean, options: OutputOptions): Promise<void> {
  const stored = await storedIn(database);
  if (!stored) return print(options, { removed: null }, 'down: nothing left to do');
  const { tasks, attachments, events } = stored;
  const all = `${tasks} tasks, ${attachments} attachments and ${events} unpublished events of the database ${stored.database}`;
  if (!isConfirmed) throw new Error(`down would delete the schema and ${all}, for good. To do so, add ${CONFIRMATION}`);
  await revertMigrations(database);
  print(options, { removed: stored }, `down: the schema is gone, and ${all}`);
}
