import { hostname, userInfo } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { JsonLogger } from '../app/json-logger';
import { ReadableLog } from '../app/readable-log';
import { CommandError, EXIT } from './exit-code';
import { print, type OutputOptions } from './output';

/** Options of every command that destroys something. */
export interface ConfirmationOptions extends OutputOptions {
  /** The operator has agreed already. */
  readonly yes?: boolean;
  /** Nothing is to be done. */
  readonly dryRun?: boolean;
}

/** What a command is about to do. */
export interface Plan {
  readonly command: string;
  /** Begins in small letters, such as `removes 2 refused writes for good`. */
  readonly text: string;
  /** The same for programs. */
  readonly facts: object;
}

/** Where the operator is asked. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable;
}

const AGREEMENTS = ['y', 'yes'];

/**
 * Whether the plan is to be carried out: then one line says so on the standard error, before anything is destroyed.
 * Else as `isAgreed`.
 */
export async function isConfirmed(plan: Plan, options: ConfirmationOptions, terminal?: Terminal): Promise<boolean> {
  if (!(await isAgreed(plan, options, terminal))) return false;
  report(plan);
  return true;
}

/**
 * For a command that reports its plan itself, when it has been carried out. A dry run prints the plan. Throws
 * `CommandError` if the operator does not agree, or can neither be asked nor has agreed with `--yes`.
 */
export async function isAgreed(
  plan: Plan,
  options: ConfirmationOptions,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<boolean> {
  if (options.dryRun) {
    print(options, { dryRun: true, ...plan.facts }, `dry run: ${plan.text}`);
    return false;
  }
  if (!options.yes) await ask(plan, terminal);
  return true;
}

async function ask({ text }: Plan, { input, output }: Terminal): Promise<void> {
  if (!input.isTTY) {
    throw new CommandError(`${text}. Nothing was done: add --yes, as there is no terminal to ask at`, EXIT.failed);
  }
  const dialogue = createInterface({ input, output });
  const answer = await new Promise<string>((resolve) => {
    dialogue.question(`This ${text}.\nGo on? [y/N] `, resolve);
    // The end of the input, such as Ctrl-D, is no agreement.
    dialogue.once('close', () => resolve(''));
  });
  dialogue.close();
  if (!AGREEMENTS.includes(answer.trim().toLowerCase())) throw new CommandError('nothing was done', EXIT.failed);
}

/** On the standard error, in the form of the log of the service, for the same collectors. */
export function report({ command, text }: Plan): void {
  const output = process.stderr.isTTY ? new ReadableLog(process.stderr) : process.stderr;
  new JsonLogger('info', hostname(), output).log(`${operator()}: ${command}: ${text}`, 'operator');
}

/** The user of the machine; in a container it may have no name. */
function operator(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 'unknown'}`;
  }
}
