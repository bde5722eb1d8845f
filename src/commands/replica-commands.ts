import { Argument, type Command } from 'commander';
import { LOG_LEVELS } from '../app/log-level';
import { lazily } from './lazily';
import { numberFrom } from './remote/remote-options';

const URL_OPTION = [
  '--url <url>',
  'the address of the replica; otherwise DOSSIER_URL, or http://127.0.0.1:3000',
] as const;
const JSON_OPTION = ['--json', 'print one line of JSON'] as const;
const MAX_TIMEOUT_SECONDS = 3600;
const TIMEOUT_SECONDS = 10;

const CREDENTIAL = `
Asks a replica and not a load balancer. The key of the operator is in DOSSIER_OPERATOR_KEY, or in the file that
DOSSIER_OPERATOR_KEY_FILE names; the replica needs OPERATOR_KEYS_FILE.`;

/** Commands for operators that look after a running replica. */
export function addReplicaCommands(program: Command): void {
  program.commandsGroup('Looking after running replicas, with DOSSIER_OPERATOR_KEY:');
  withTimeout(program.command('status'))
    .usage('[URL...]')
    .description(
      'Says how a replica is: servers, breakers, trust in the cache, journal, outbox, jobs, schema, settings.',
    )
    .argument('[url...]', 'of several replicas, also in what they differ; otherwise DOSSIER_URL')
    .action(lazily(async () => (await import('./remote/replica-status.js')).replicaStatus));
  withTimeout(program.command('log-level'))
    .description('Changes the level of the log of a running replica, until it ends.')
    .addArgument(new Argument('<level>', 'the new one').choices(LOG_LEVELS))
    .option(...URL_OPTION)
    .action(lazily(async () => (await import('./remote/log-level.js')).changeLogLevel));
  const limits = program.command('rate-limits').description('How far callers have used up their rate limits.');
  withTimeout(limits.command('list'))
    .description(
      'Prints the callers that a replica has counted, with what they have used of their limits, most calls first.',
    )
    .option('--caller <id>', 'only this one, such as key:ID')
    .option(...URL_OPTION)
    .action(lazily(async () => (await import('./remote/rate-limits.js')).listRateLimits));
  withTimeout(limits.command('reset'))
    .usage('CALLER')
    .description('Lets a caller begin anew, after a question.')
    .argument('<caller>', 'as `rate-limits list` prints it')
    .option('--method <name>', 'only for this method')
    .option('--yes', 'do not ask, for scripts')
    .option('--dry-run', 'only say what would be done')
    .option(...URL_OPTION)
    .action(lazily(async () => (await import('./remote/rate-limits.js')).resetRateLimits));
}

function withTimeout(command: Command): Command {
  return command
    .option(
      '--timeout <seconds>',
      'how long to wait for the reply',
      numberFrom(0.001, MAX_TIMEOUT_SECONDS),
      TIMEOUT_SECONDS,
    )
    .option(...JSON_OPTION)
    .addHelpText('after', CREDENTIAL);
}
