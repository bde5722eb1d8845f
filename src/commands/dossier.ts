#!/usr/bin/env node
import 'reflect-metadata';
import { causeOf } from '../app/cause-of';
import { EXIT, exitCodeOf, UsageError } from './exit-code';
import { dossierProgram, nameOf, usageOf, WordsError } from './program';

/** `dossier COMMAND …`. */
async function main(words: readonly string[]): Promise<void> {
  const program = dossierProgram();
  if (words.length === 0) return fail('dossier: which command?', usageOf(program));
  let name = 'dossier';
  let usage = '';
  program.hook('preAction', (_, command) => {
    name = nameOf(command);
    usage = usageOf(command);
  });
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof WordsError) {
      if (!error.isHelp) fail(`${nameOf(error.command)}: ${error.message}`, usageOf(error.command));
      return;
    }
    fail(`${name}: ${causeOf(error)}`, error instanceof UsageError ? usage : '', exitCodeOf(error));
  }
}

/** Nothing is left to be done: a connection that still closes need not be waited for. */
function fail(message: string, more: string, exitCode: number = EXIT.failed): void {
  process.stderr.write(`${message}\n${more}`, () => process.exit(exitCode));
}

// The reader may have enough, as in `dossier events | head`.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') process.stderr.write(`dossier: the output cannot be written: ${message}\n`);
  process.exit(EXIT.failed);
});
void main(process.argv.slice(2));
