import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { packageVersion } from '../../../src/app/package-version';
import { printCompletion } from '../../../src/commands/completion';
import { EXIT } from '../../../src/commands/exit-code';
import { dossierProgram, nameOf, usageOf, WordsError } from '../../../src/commands/program';
import { SHELLS, type Shell } from '../../../src/commands/shells';
import { METHODS } from '../../../src/inbound/methods/method-descriptions';

const DOCUMENT = readFileSync(join(__dirname, '../../../docs/cli.md'), 'utf8');

/** The commands that do something. */
function commandsIn(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(commandsIn);
}

const commands = commandsIn(dossierProgram());

function scriptOf(shell: Shell): string {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    printCompletion(shell, dossierProgram());
    return write.mock.calls.map(([text]) => text).join('');
  } finally {
    write.mockRestore();
  }
}

describe('the commands of dossier', () => {
  it('are all in docs/cli.md, with their options', () => {
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands) {
      expect(DOCUMENT).toContain(`\`${nameOf(command)}`);
      for (const { long } of command.options) if (long !== '--json') expect(DOCUMENT).toContain(long);
    }
    for (const code of Object.values(EXIT)) expect(DOCUMENT).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });

  it('say which version they are', async () => {
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    const failure = await dossierProgram()
      .parseAsync(['--version'], { from: 'user' })
      .catch((error: unknown) => error);
    const printed = write.mock.calls.map(([text]) => text).join('');
    write.mockRestore();
    expect(failure).toMatchObject({ isHelp: true });
    expect(printed).toBe(`${packageVersion()}\n`);
  });

  it.each(commands.map((command) => [nameOf(command)]))('%s prints its usage if it is asked for help', async (name) => {
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    const program = dossierProgram();
    const words = [...name.split(' '), '--help'];
    const failure = await program.parseAsync(words, { from: 'user' }).catch((error: unknown) => error);
    const printed = write.mock.calls.map(([text]) => text).join('');
    write.mockRestore();
    expect(failure).toMatchObject({ isHelp: true });
    expect(printed).toContain(`usage: dossier ${name}`);
  });

  it.each(commands.map((command) => [nameOf(command)]))('%s refuses an option that it does not have', async (name) => {
    const words = [...name.split(' '), '--name=x', '--no-such-option'].filter(
      (word) => name === 'keys create' || word !== '--name=x',
    );
    const failure = await dossierProgram()
      .parseAsync(words, { from: 'user' })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WordsError);
    const { command, isHelp, message } = failure as WordsError;
    expect([nameOf(command), isHelp, message]).toEqual([name, false, "unknown option '--no-such-option'"]);
    expect(usageOf(command)).toContain(`usage: dossier ${name}`);
  });
});

describe('the completion', () => {
  it.each(SHELLS)('of %s knows every command, option, method and parameter', (shell) => {
    const script = scriptOf(shell);
    for (const command of commands) {
      expect(script).toContain(`' ${nameOf(command)}'`);
      for (const { long } of command.options) expect(script).toContain(long);
    }
    for (const { name, params } of METHODS) {
      expect(script).toContain(`' call ${name}'`);
      for (const param of Object.keys(params.properties)) expect(script).toContain(`${param}=`);
    }
  });

  it.each([
    [['mig'], ['migrate', 'migrate-metadata']],
    [
      ['keys', ''],
      ['create', '--help'],
    ],
    [['keys', 'create', '--app'], ['--append']],
    [['keys', 'create', '--name', 'x', '--app'], ['--append']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', '--help'],
    ],
    [
      ['call', 'task.get_'],
      ['task.get_attachment', 'task.get_attachments_batch'],
    ],
    [['call', 'task.complete', 'w'], ['workerId=']],
    [['call', '--json', 'task.complete', 'w'], ['workerId=']],
  ])('of bash offers, behind %p, %p', (words, offered) => {
    const program = `${scriptOf('bash')}
      compopt() { :; }
      COMP_WORDS=(dossier ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}
      _dossier; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const printed = execFileSync('bash', ['-c', program], { encoding: 'utf8' });
    expect(printed.trimEnd().split('\n')).toEqual(offered);
  });
});
