import { Argument, type Command } from 'commander';
import { lazily } from './lazily';
import { numberFrom, positiveInteger } from './remote/remote-options';
import { SHELLS, type Shell } from './shells';

const URL_OPTION = [
  '--url <url>',
  'the address of the service; otherwise DOSSIER_URL, or http://127.0.0.1:3000',
] as const;
const JSON_OPTION = ['--json', 'print one line of JSON'] as const;
const MAX_TIMEOUT_SECONDS = 3600;
const MAX_RATE = 10_000;
const TIMEOUT_SECONDS = 30;
const CALLS_PER_SECOND = 50;
const LINES_PER_SECOND = 200;

const CREDENTIALS = `
The credential, if the service wants one, is in DOSSIER_API_KEY or DOSSIER_TOKEN, or in the file that
DOSSIER_API_KEY_FILE or DOSSIER_TOKEN_FILE names.`;

const CALL_HELP = `
name=value     the value as the parameter takes it: text, a number, true or false, or JSON
name:=json     the value as JSON: value:='{"a":1}', parentId:=null
name=@FILE     the content of a file; @- is the standard input; name:=@FILE takes JSON from it
a.b=value      a member of a parameter that is an object: updates.status=in_progress

example:
  dossier call task.create_attachment taskId=t key=notes type=markdown content=@notes.md
${CREDENTIALS}`;

const EXPORT_HELP = `
The archive is not a snapshot of one moment. With --output it is written to FILE.part, and is FILE when it is complete.
${CREDENTIALS}`;

const IMPORT_HELP = `
Works on the stores themselves, so that versions, times and authors stay as they were. It may be interrupted and
repeated: what is there already is left alone. What is not preserved is in docs/cli.md.`;

/** Commands for callers of a running service, over HTTP, and what belongs to them. */
export function addCallerCommands(program: Command): void {
  program.commandsGroup('Calling a running service, at --url or DOSSIER_URL:');
  addCall(program);
  addEvents(program);
  addExport(program);
  program.commandsGroup('Archives and shells:');
  addImport(program);
  addCompletion(program);
}

function addCall(program: Command): void {
  program
    .command('call')
    .usage('METHOD [name=value...]')
    .description('Calls a method and prints its result.')
    .argument('<method>', 'such as task.get')
    .argument('[params...]', 'name=value or name:=json')
    .option(...URL_OPTION)
    .option(
      '--timeout <seconds>',
      'how long to wait for the reply',
      numberFrom(0.001, MAX_TIMEOUT_SECONDS),
      TIMEOUT_SECONDS,
    )
    .option(
      '--json',
      'print the result in one line, as the service has sent it; what it refuses goes to stderr as JSON',
    )
    .addHelpText('after', CALL_HELP)
    .action(lazily(async () => (await import('./remote/call.js')).call));
}

function addEvents(program: Command): void {
  program
    .command('events')
    .description('Prints each event as it happens, until Ctrl-C. Connects again after an error, and resumes.')
    .option('--task <id>', 'only events of this task')
    .option('--parent <id>', 'only events of this task and of its sub-tasks')
    .option('--since <event>', 'continue behind the event with this id of --json')
    .option('--limit <n>', 'end after so many events', positiveInteger)
    .option(...URL_OPTION)
    .option('--json', 'print each event as JSON, with its position as id')
    .addHelpText('after', CREDENTIALS)
    .action(lazily(async () => (await import('./remote/events.js')).events));
}

function addExport(program: Command): void {
  program
    .command('export')
    .usage('TASK [--output FILE]')
    .description(
      'Copies a task, its sub-tasks and all their attachments into an archive of JSON lines with a checksum.',
    )
    .argument('<task>', 'the id of the task')
    .option('--output <file>', 'where to; otherwise to the standard output')
    .option('--resume', 'continue FILE.part, which an interrupted export has left')
    .option('--rate <n>', 'at most so many calls in a second', numberFrom(0.1, MAX_RATE), CALLS_PER_SECOND)
    .option(
      '--timeout <seconds>',
      'how long to wait for a reply',
      numberFrom(0.001, MAX_TIMEOUT_SECONDS),
      TIMEOUT_SECONDS,
    )
    .option(...URL_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', EXPORT_HELP)
    .action(lazily(async () => (await import('./archive/export-task.js')).exportTask));
}

function addImport(program: Command): void {
  program
    .command('import')
    .usage('FILE')
    .description(
      'Puts an archive into the stores that DATABASE_URL and REDIS_URL name, after its checksum was found right.',
    )
    .argument('<file>', 'what export has written')
    .option('--organization <name>', 'of the tasks; otherwise that in the archive')
    .option('--without-parent', 'the exported task becomes one without a parent')
    .option(
      '--rate <n>',
      'at most so many tasks and attachments in a second',
      numberFrom(0.1, MAX_RATE),
      LINES_PER_SECOND,
    )
    .option(...JSON_OPTION)
    .addHelpText('after', IMPORT_HELP)
    .action(lazily(async () => (await import('./archive/import-archive.js')).importArchive));
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Prints a script that completes commands, options, methods and parameters in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(async (shell: Shell) => (await import('./completion.js')).printCompletion(shell, program));
}
