import { Command, type CommanderError } from 'commander';
import { packageVersion } from '../app/package-version';
import { addCallerCommands } from './caller-commands';
import { EXIT } from './exit-code';
import { addOperatorCommands } from './operator-commands';
import { addReplicaCommands } from './replica-commands';

/** The words of the command line are wrong, or ask for help. */
export class WordsError extends Error {
  constructor(
    message: string,
    readonly command: Command,
    /** What was asked for was printed. */
    readonly isHelp: boolean,
  ) {
    super(message);
  }
}

const EXIT_CODES = `
exit codes: ${EXIT.done} done; ${EXIT.failed} wrong arguments or settings, or another failure; ${EXIT.refused} refused by the service;
${EXIT.unavailable} unavailable, the same may succeed later; ${EXIT.interrupted} interrupted`;

/** All commands. Parsing throws `WordsError`, and what a command throws. */
export function dossierProgram(): Command {
  const program = new Command('dossier')
    .usage('COMMAND [arguments]')
    .description('Runs, operates and calls Dossier.')
    .version(packageVersion(), '--version', 'prints the version of this command')
    .configureHelp({ styleTitle: (title) => title.charAt(0).toLowerCase() + title.slice(1), helpWidth: 100 })
    .configureOutput({ writeErr: () => undefined })
    .addHelpText('after', EXIT_CODES);
  program.helpCommand('help [command]', 'prints the usage of a command');
  addCallerCommands(program);
  addReplicaCommands(program);
  addOperatorCommands(program);
  refuseByThrowing(program);
  return program;
}

/** The words by which a command is called. */
export function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

export function usageOf(command: Command): string {
  return command.helpInformation();
}

function refuseByThrowing(command: Command): void {
  command.exitOverride((error: CommanderError) => {
    const isHelp = error.exitCode === 0;
    // A group of commands, such as `keys`, without one of them.
    const message = error.code === 'commander.help' ? 'which command?' : error.message.replace(/^error: /, '');
    throw new WordsError(message, command, isHelp);
  });
  command.commands.forEach(refuseByThrowing);
}
