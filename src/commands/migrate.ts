import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import type { Database } from '../outbound/postgres/database';
import { revertMigrations, runMigrations, storedIn } from '../outbound/postgres/migrate';
import { refuseMore, UsageError, type Command } from './command';

const CONFIRMATION = '--yes-delete-everything';

export const migrate: Command = {
  name: 'migrate',
  usage: `[up|down ${CONFIRMATION}]`,
  description: 'Brings the schema up to date, also with MIGRATE=off; or removes it with everything that is stored.',

  async run([direction = 'up', ...more]) {
    if (direction !== 'up' && direction !== 'down') throw new UsageError(`unknown direction ${direction}: up or down`);
    const isConfirmed = direction === 'down' && more[0] === CONFIRMATION;
    refuseMore(isConfirmed ? more.slice(1) : more);
    const database = await openDatabase(loadConfig());
    try {
      await database.check();
      process.stdout.write(
        `${direction === 'up' ? await migrateUp(database) : await migrateDown(database, isConfirmed)}\n`,
      );
    } finally {
      await database.close();
    }
  },
};

async function migrateUp(database: Database): Promise<string> {
  const done = await runMigrations(database);
  return done.length > 0 ? `migrated: ${done.join(', ')}` : 'up: nothing left to do';
}

async function migrateDown(database: Database, isConfirmed: boolean): Promise<string> {
  const stored = await storedIn(database);
  if (!stored) return 'down: nothing left to do';
  const { tasks, attachments, events } = stored;
  const all = `${tasks} tasks, ${attachments} attachments and ${events} unpublished events of the database ${stored.database}`;
  if (!isConfirmed) throw new Error(`down would delete the schema and ${all}, for good. To do so, add ${CONFIRMATION}`);
  await revertMigrations(database);
  return `down: the schema is gone, and ${all}`;
}
