import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { revertMigrations, runMigrations } from '../outbound/postgres/migrate';
import type { Command } from './command';

export const migrate: Command = {
  name: 'migrate',
  usage: '[up|down]',
  description: 'Brings the schema up to date, or removes it with everything that is stored.',

  async run([direction = 'up']) {
    if (direction !== 'up' && direction !== 'down') throw new Error(`unknown direction ${direction}: up or down`);
    const database = await openDatabase(loadConfig());
    try {
      if (direction === 'down') await revertMigrations(database);
      const done = direction === 'up' ? await runMigrations(database) : [];
      process.stdout.write(done.length > 0 ? `migrated: ${done.join(', ')}\n` : `${direction}: nothing left to do\n`);
    } finally {
      await database.close();
    }
  },
};
