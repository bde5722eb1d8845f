import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { causeOf } from '../app/cause-of';
import { loadConfig } from '../app/config';
import { openDatabase } from '../app/open-database';
import { UseCasesModule } from '../app/use-cases.module';
import { isoTime } from '../core/domain/domain-event';
import { versionOf } from '../core/ports/attachment-journal';
import { ReplayWrite, type ReplayOutcome } from '../core/use-cases/upkeep/replay-write';
import type { DeadLetter, DeadLetters } from '../outbound/redis/dead-letters';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';
import { refuseMore, UsageError, type Command } from './command';
import { eventOf } from './event-of';
import { journalOf, withDeadLetters } from './open-dead-letters';

const REDIS_TIMEOUT_MS = 2000;
const WITH_VALUES = '--with-values';
const ALL = '--all';

export const listDeadLetters: Command = {
  name: 'dead-letters list',
  usage: `[${WITH_VALUES}]`,
  description: 'Prints the acknowledged writes that PostgreSQL refused for good, as one line of JSON each.',

  async run(args) {
    const [first, ...more] = args;
    refuseMore(first === WITH_VALUES ? more : args);
    const letters = await withDeadLetters((journal) => journal.list());
    for (const letter of letters) process.stdout.write(`${JSON.stringify(lineOf(letter, first === WITH_VALUES))}\n`);
  },
};

export const replayDeadLetters: Command = {
  name: 'dead-letters replay',
  usage: `OP...|${ALL}`,
  description: 'Makes refused writes again, as new versions, and removes them from the dead letters if that succeeds.',

  async run(args) {
    const chosen = chosenBy(args);
    const config = loadConfig();
    journalOf(config);
    Logger.overrideLogger(false);
    const module = UseCasesModule.register({ ...config, nats: undefined }, await openDatabase(config));
    const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    try {
      // Another version must not write.
      await context.get(PostgresConnection).migrate(false);
      await context.get(RedisConnection).waitUntilReady(REDIS_TIMEOUT_MS);
      const replay = context.get(ReplayWrite);
      await forEach(chosen, async ({ entry }) => {
        if (!entry?.write) throw new Error('cannot be read');
        return textOf(await replay.execute(entry.write));
      });
    } finally {
      await context.close();
    }
  },
};

export const dropDeadLetters: Command = {
  name: 'dead-letters drop',
  usage: `OP...|${ALL}`,
  description: 'Removes refused writes for good: what was acknowledged is lost.',

  run: (args) => forEach(chosenBy(args), () => Promise.resolve('dropped')),
};

/** Undefined means all. */
function chosenBy(args: readonly string[]): ReadonlySet<string> | undefined {
  if (args.length === 0) throw new UsageError(`which dead letters? Name their ops, or ${ALL}`);
  if (args[0] === ALL) refuseMore(args.slice(1));
  else refuseMore(args.filter((arg) => arg.startsWith('-')));
  return args[0] === ALL ? undefined : new Set(args);
}

/** Removes what `work` has done, and says what came of each; the exit code is 1 if one could not be done. */
async function forEach(
  chosen: ReadonlySet<string> | undefined,
  work: (letter: DeadLetter) => Promise<string>,
): Promise<void> {
  await withDeadLetters(async (journal: DeadLetters) => {
    const letters = await journal.list();
    const missing = [...(chosen ?? [])].filter((op) => !letters.some((letter) => letter.op === op));
    for (const op of missing) fail(op, 'no such dead letter');
    for (const letter of letters) {
      const { op } = letter;
      if (chosen && !(op !== undefined && chosen.has(op))) continue;
      try {
        const done = await work(letter);
        await journal.remove(letter);
        process.stdout.write(`${op ?? 'unreadable'}: ${done}\n`);
      } catch (error) {
        fail(op ?? 'unreadable', causeOf(error));
      }
    }
  });
}

function fail(op: string, reason: string): void {
  process.stderr.write(`${op}: ${reason}\n`);
  process.exitCode = 1;
}

/** Throws if the write was not made. */
function textOf(outcome: ReplayOutcome): string {
  switch (outcome.state) {
    case 'put':
      return `written as version ${outcome.version}${outcome.replaced ? ', over an older one' : ''}`;
    case 'deleted':
      return 'deleted';
    case 'overtaken':
      throw new Error(`not written: version ${outcome.version} is newer`);
    case 'expired':
      throw new Error('not written: its time to live has passed');
  }
}

/** The value only if it was asked for: it may be a secret of the caller. */
function lineOf({ reason, op, entry }: DeadLetter, withValue: boolean): object {
  const { ref, write } = entry ?? {};
  if (!write) return { op, ...ref, reason };
  const { timestamp, metadata } = eventOf(write);
  const about = { op, ...ref, version: versionOf(write), reason, at: isoTime(timestamp) };
  if (!('put' in write)) return { ...about, write: 'deletion', by: metadata['deletedBy'] };
  const { createdBy, type, value, content, url } = write.put.attachment;
  const body = withValue ? { value: value?.text, content, url } : {};
  return { ...about, write: 'put', by: createdBy, type, ...body };
}
