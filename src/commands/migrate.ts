import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import type { Database } from '../outbound/postgres/database';
import { revertMigrations, runMigrations } from '../outbound/postgres/migrate';
import { refuseMore, UsageError, type Command } from './command';

export const migrate: Command = {
  name: 'migrate',
  usage: '[up|down]',
  description: 'Brings the schema up to date, or removes it with everything that is stored.',

  async run([direction = 'up', ...more]) {
    if (direction !== 'up' && direction !== 'down') throw new UsageError(`unknown direction ${direction}: up or down`);
    refuseMore(more);
    const database = await openDatabase(loadConfig());
    try {
      await database.check();
      process.stdout.write(`${direction === 'up' ? await migrateUp(database) : await migrateDown(database)}\n`);
    } finally {
      await database.close();
    }
  },
};

async function migrateUp(database: Database): Promise<string> {
  const done = await runMigrations(database);
  return done.length > 0 ? `migrated: ${done.join(', ')}` : 'up: nothing left to do';
}

async function migrateDown(database: Database): Promise<string> {
  await revertMigrations(database);
  return 'down: the schema is gone, with everything that was stored';
}
