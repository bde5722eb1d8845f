#!/usr/bin/env node
import 'reflect-metadata';
import { causeOf } from '../app/cause-of';
import { adoptRedis } from './adopt-redis';
import { UsageError, type Command } from './command';
import { createKey } from './create-key';
import { dropDeadLetters, listDeadLetters, replayDeadLetters } from './dead-letters';
import { journalStatus } from './journal-status';
import { migrate } from './migrate';
import { migrateMetadata } from './migrate-metadata';
import { natsOff } from './nats-off';
import { newEpoch } from './new-epoch';

const COMMANDS: readonly Command[] = [
  migrate,
  migrateMetadata,
  createKey,
  journalStatus,
  listDeadLetters,
  replayDeadLetters,
  dropDeadLetters,
  newEpoch,
  adoptRedis,
  natsOff,
];
const HELP = ['help', '-h', '--help'];

/** `dossier COMMAND …`: what operators run beside the service. Never starts a server. */
async function main(words: readonly string[]): Promise<void> {
  if (words.length === 0) return fail('dossier: which command?', usage());
  if (HELP.includes(words[0] as string)) return void process.stdout.write(usage());
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, i) => words[i] === word));
  if (!command) return fail(`dossier: unknown command ${words.join(' ')}`, usage());
  const args = words.slice(command.name.split(' ').length);
  // Anywhere: what asks for help must never do anything.
  if (args.some((arg) => HELP.includes(arg))) return void process.stdout.write(usageOf(command));
  try {
    await command.run(args);
  } catch (error) {
    fail(`${command.name}: ${causeOf(error)}`, error instanceof UsageError ? usageOf(command) : '');
  }
}

function usage(): string {
  return `usage:\n${COMMANDS.map((command) => `  ${lineOf(command)}\n      ${command.description}\n`).join('')}`;
}

function usageOf(command: Command): string {
  return `usage: ${lineOf(command)}\n${command.description}\n`;
}

function lineOf(command: Command): string {
  return `dossier ${command.name} ${command.usage}`.trimEnd();
}

/** Nothing is left to be done: a connection that still closes need not be waited for. */
function fail(message: string, more: string): void {
  process.stderr.write(`${message}\n${more}`, () => process.exit(1));
}

void main(process.argv.slice(2));
