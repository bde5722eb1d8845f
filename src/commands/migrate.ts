import { causeOf } from '../app/cause-of';
import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { revertMigrations, runMigrations } from '../outbound/postgres/migrate';

/** `node dist/migrate.js [up|down]`: brings the schema up to date, or removes it with everything that is stored. */
async function main(direction = 'up'): Promise<void> {
  if (direction !== 'up' && direction !== 'down') throw new Error(`unknown direction ${direction}: up or down`);
  const database = await openDatabase(loadConfig());
  try {
    if (direction === 'down') await revertMigrations(database);
    const done = direction === 'up' ? await runMigrations(database) : [];
    process.stdout.write(done.length > 0 ? `migrated: ${done.join(', ')}\n` : `${direction}: nothing left to do\n`);
  } finally {
    await database.close();
  }
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`migrate: ${causeOf(error)}\n`);
  process.exit(1);
});
