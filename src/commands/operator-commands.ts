import { Argument, Option, type Command } from 'commander';
import { lazily } from './lazily';
import { PURGEABLE } from './purgeable';

const JSON_OPTION = ['--json', 'print one line of JSON'] as const;
const YES_OPTION = ['--yes', 'do not ask, for scripts'] as const;
const DRY_RUN_OPTION = ['--dry-run', 'only say what would be done'] as const;

/**
 * Commands for operators: they work on the servers that the variables of the environment name, beside the service or
 * without it. A new command is declared here, and what it does is in a file of its own.
 */
export function addOperatorCommands(program: Command): void {
  program.commandsGroup('Operation, on the servers that DATABASE_URL and REDIS_URL name:');
  addServe(program);
  addMigrations(program);
  addKeys(program);
  addJournal(program);
  addDeadLetters(program);
  addPurge(program);
  addCache(program);
  addRepairs(program);
}

function addServe(program: Command): void {
  program
    .command('serve')
    .description(
      'Serves until SIGTERM or SIGINT, as node dist/main.js does. All settings are variables; see docs/configuration.md.',
    )
    .action(lazily(async () => (await import('../app/serve-until-stopped.js')).serveUntilStopped));
}

function addMigrations(program: Command): void {
  program
    .command('migrate')
    .usage('[up|down --yes-delete-everything]')
    .description(
      'Brings the schema up to date, also with MIGRATE=off; or removes it with everything that is stored (down).',
    )
    .addArgument(new Argument('[direction]', 'which way').choices(['up', 'down']).default('up'))
    .option('--yes-delete-everything', 'without it, down only says what would be deleted')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./migrate.js')).migrate));
  program
    .command('migrate-metadata')
    .description('Turns what tasks hold in the retired `metadata.data` into attachments.')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./migrate-metadata.js')).migrateMetadata));
}

function addKeys(program: Command): void {
  program
    .command('keys')
    .description('API keys.')
    .command('create')
    .description(
      'Makes an API key: prints it, this once, and its entry for the file that API_KEYS_FILE or OPERATOR_KEYS_FILE names.',
    )
    .requiredOption('--name <name>', 'of the caller')
    .option('--organization <organization>', 'whose tasks the caller sees', 'default')
    .option('--role <role>', 'read, write or admin', 'write')
    .addOption(
      new Option('--operator', 'a key for OPERATOR_KEYS_FILE: an operator of the service is no caller').conflicts([
        'organization',
        'role',
      ]),
    )
    .option('--append <file>', 'adds the entry to this key file, which is created if it is missing')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./create-key.js')).createKey));
}

function addJournal(program: Command): void {
  program
    .command('journal')
    .description('The acknowledged writes that wait for PostgreSQL.')
    .command('status')
    .description('Says how many acknowledged writes wait for PostgreSQL in the journal, and how many it has refused.')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./journal-status.js')).journalStatus));
}

function addDeadLetters(program: Command): void {
  const letters = program
    .command('dead-letters')
    .description('The acknowledged writes that PostgreSQL refused for good.');
  letters
    .command('list')
    .description('Prints the acknowledged writes that PostgreSQL refused for good, as one line of JSON each.')
    .option('--with-values', 'with what was written: it may be a secret of the caller')
    .action(lazily(async () => (await import('./dead-letters.js')).listDeadLetters));
  letters
    .command('replay')
    .usage('OP...|--all')
    .description(
      'Makes refused writes again, as new versions, and removes them from the dead letters if that succeeds.',
    )
    .argument('[op...]', 'the op of a dead letter')
    .option('--all', 'each of them')
    .action(lazily(async () => (await import('./dead-letters.js')).replayDeadLetters));
  letters
    .command('drop')
    .usage('OP...|--all')
    .description('Removes refused writes for good, after a question: what was acknowledged is lost.')
    .argument('[op...]', 'the op of a dead letter')
    .option('--all', 'each of them')
    .option(...YES_OPTION)
    .option(...DRY_RUN_OPTION)
    .action(lazily(async () => (await import('./dead-letters.js')).dropDeadLetters));
}

function addPurge(program: Command): void {
  program
    .command('purge')
    .usage('[attachments] [tasks] [history]')
    .description(
      'Deletes now, after a question, what replicas delete in the background: expired attachments, expired tasks and those of RETENTION_FINISHED_DAYS, old events and tombstones.',
    )
    .addArgument(new Argument('[what...]', 'only these; otherwise everything that is due').choices(PURGEABLE))
    .option(...YES_OPTION)
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./purge.js')).purge));
}

function addCache(program: Command): void {
  program
    .command('cache')
    .description('The cache in Redis.')
    .command('reset')
    .description(
      'Makes the cache in Redis forget everything but the journal, after a question, beside running replicas.',
    )
    .option(...YES_OPTION)
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./reset-cache.js')).resetCache));
}

function addRepairs(program: Command): void {
  program
    .command('new-epoch')
    .description('Tells replicas that the database was restored, if they cannot find out: nothing cached is believed.')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./new-epoch.js')).newEpoch));
  program
    .command('adopt-redis')
    .description(
      'Gives the Redis of another database to this one, after a question; journaled writes of the other become dead letters.',
    )
    .option('--give-up-journal-of <database-id>', 'the other database, if its journal holds writes')
    .option(...YES_OPTION)
    .option(...DRY_RUN_OPTION)
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./adopt-redis.js')).adoptRedis));
  program
    .command('nats')
    .description('What the database remembers of NATS.')
    .command('off')
    .description('Lets replicas without NATS_URL count events as published, until one with NATS_URL starts.')
    .option(...JSON_OPTION)
    .action(lazily(async () => (await import('./nats-off.js')).natsOff));
}
