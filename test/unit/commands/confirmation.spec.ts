import { PassThrough } from 'node:stream';
import { isConfirmed, type ConfirmationOptions } from '../../../src/commands/confirmation';
import { EXIT } from '../../../src/commands/exit-code';

const PLAN = { command: 'purge', text: 'deletes 3 tasks', facts: { tasks: 3 } };

describe('a command that destroys something', () => {
  let printed: { stdout: string; stderr: string };
  beforeEach(() => {
    printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      jest.spyOn(process[name], 'write').mockImplementation((text) => {
        printed[name] += String(text);
        return true;
      });
    }
  });
  afterEach(() => jest.restoreAllMocks());

  /** Undefined: there is no terminal; an answer of null: its end. */
  async function ask(options: ConfirmationOptions, answer?: string | null) {
    const input = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
    const output = new PassThrough();
    if (answer !== undefined) input.end(answer === null ? '' : `${answer}\n`);
    const outcome = await isConfirmed(PLAN, options, { input, output }).catch((error: unknown) => error);
    return { outcome, asked: String(output.read() ?? '') };
  }

  it.each(['y', 'yes', ' YES '])(
    'says what it does, goes on after %p, and leaves one line about it',
    async (answer) => {
      const { outcome, asked } = await ask({}, answer);
      expect([outcome, asked]).toEqual([true, expect.stringContaining('This deletes 3 tasks.\nGo on? [y/N] ')]);
      expect(printed.stderr.trim().split('\n')).toHaveLength(1);
      expect(JSON.parse(printed.stderr)).toMatchObject({
        context: 'operator',
        msg: expect.stringMatching(/^.+: purge: deletes 3 tasks$/) as string,
      });
    },
  );

  it.each(['', 'n', 'no', 'yes please', null])('does nothing after the answer %p', async (answer) => {
    const { outcome } = await ask({}, answer);
    expect(outcome).toMatchObject({ message: 'nothing was done', exitCode: EXIT.failed });
    expect(printed).toEqual({ stdout: '', stderr: '' });
  });

  it('does nothing where nobody can be asked', async () => {
    const { outcome, asked } = await ask({});
    expect(outcome).toMatchObject({
      message: 'deletes 3 tasks. Nothing was done: add --yes, as there is no terminal to ask at',
      exitCode: EXIT.failed,
    });
    expect([asked, printed.stderr]).toEqual(['', '']);
  });

  it('does not ask if it is told so, and leaves the line all the same', async () => {
    const { outcome, asked } = await ask({ yes: true });
    expect([outcome, asked]).toEqual([true, '']);
    expect(printed.stderr).toContain('purge: deletes 3 tasks');
  });

  it.each([{ yes: true }, {}])('only says what it would do in a dry run, with %j', async (more) => {
    const { outcome } = await ask({ ...more, dryRun: true, json: true }, 'y');
    expect([outcome, printed.stderr]).toEqual([false, '']);
    expect(JSON.parse(printed.stdout)).toEqual({ dryRun: true, tasks: 3 });
  });
});
