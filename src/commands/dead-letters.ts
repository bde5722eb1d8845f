import { causeOf } from '../app/cause-of';
import { loadConfig } from '../app/config';
import { isoTime } from '../core/domain/iso-time';
import { eventOf, versionOf } from '../core/ports/attachment-journal';
import { ReplayWrite, type ReplayOutcome } from '../core/use-cases/upkeep/replay-write';
import type { DeadLetter, DeadLetters } from '../outbound/redis/dead-letters';
import { isConfirmed, type ConfirmationOptions } from './confirmation';
import { EXIT, UsageError } from './exit-code';
import { journalOf, withDeadLetters } from './open-dead-letters';
import { withUseCases } from './with-stores';

export interface ChoiceOptions {
  readonly all?: boolean;
}

/** One line of JSON each. */
export async function listDeadLetters({ withValues = false }: { readonly withValues?: boolean }): Promise<void> {
  const letters = await withDeadLetters((journal) => journal.list());
  for (const letter of letters) process.stdout.write(`${JSON.stringify(lineOf(letter, withValues))}\n`);
}

export async function replayDeadLetters(ops: readonly string[], options: ChoiceOptions): Promise<void> {
  const chosen = chosenBy(ops, options);
  const config = loadConfig();
  journalOf(config);
  // Another version must not write.
  await withUseCases({ ...config, migrates: false }, (context) => {
    const replay = context.get(ReplayWrite);
    return forEach(chosen, async ({ entry }, newer) => {
      if (!entry?.write) throw new Error('cannot be read');
      if (newer !== undefined) throw new Error(`not written: the dead letter ${newer} under this key is newer`);
      return textOf(await replay.execute(entry.write));
    });
  });
}

export async function dropDeadLetters(
  ops: readonly string[],
  options: ChoiceOptions & ConfirmationOptions,
): Promise<void> {
  const isAgreed = (letters: readonly DeadLetter[]) => isConfirmed(planToDrop(letters), options);
  await forEach(chosenBy(ops, options), () => Promise.resolve('dropped'), isAgreed);
}

function planToDrop(letters: readonly DeadLetter[]) {
  const ops = letters.map(({ op }) => op ?? 'unreadable');
  const writes = letters.length === 1 ? 'acknowledged write' : 'acknowledged writes';
  const text = `removes ${letters.length} ${writes} that PostgreSQL refused, for good: ${ops.join(', ')}`;
  return { command: 'dead-letters drop', text, facts: { drops: ops } };
}

/** Undefined means all. */
function chosenBy(ops: readonly string[], { all = false }: ChoiceOptions): ReadonlySet<string> | undefined {
  if (!all && ops.length === 0) throw new UsageError('which dead letters? Name their ops, or --all');
  if (all && ops.length > 0) throw new UsageError('--all must not be combined with ops');
  return all ? undefined : new Set(ops);
}

/**
 * Removes what `work` has done, and says what came of each; the exit code is 1 if one could not be done. The newest
 * comes first, as an older write would win if it were made again after it. `work` is also told of a newer letter under
 * the same key that stays.
 */
async function forEach(
  chosen: ReadonlySet<string> | undefined,
  work: (letter: DeadLetter, newer?: string) => Promise<string>,
  isAgreed: (letters: readonly DeadLetter[]) => Promise<boolean> = () => Promise.resolve(true),
): Promise<void> {
  await withDeadLetters(async (journal: DeadLetters) => {
    const all = await journal.list();
    const missing = [...(chosen ?? [])].filter((op) => !all.some((letter) => letter.op === op));
    for (const op of missing) fail(op, 'no such dead letter');
    const isChosen = ({ op }: DeadLetter) => !chosen || (op !== undefined && chosen.has(op));
    const letters = all.filter(isChosen);
    if (letters.length === 0 || !(await isAgreed(letters))) return;
    /** By the name of the attachment. */
    const staying = new Map<string, string>();
    for (const letter of [...all].sort((a, b) => versionOfLetter(b) - versionOfLetter(a))) {
      const { op = 'unreadable' } = letter;
      const name = nameOf(letter);
      if (!isChosen(letter)) {
        staying.set(name, op);
        continue;
      }
      try {
        const done = await work(letter, staying.get(name));
        await journal.remove(letter);
        process.stdout.write(`${op}: ${done}\n`);
      } catch (error) {
        staying.set(name, op);
        fail(op, causeOf(error));
      }
    }
  });
}

/** The attachment, of its organisation. */
function nameOf({ entry }: DeadLetter): string {
  return JSON.stringify([entry?.write?.organization, entry?.ref.taskId, entry?.ref.key]);
}

/** 0 if it cannot be read. */
function versionOfLetter({ entry }: DeadLetter): number {
  return entry?.write ? versionOf(entry.write) : 0;
}

function fail(op: string, reason: string): void {
  process.stderr.write(`${op}: ${reason}\n`);
  process.exitCode = EXIT.failed;
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
  const { organization } = write;
  const about = { op, organization, ...ref, version: versionOf(write), reason, at: isoTime(timestamp) };
  if (!('put' in write)) return { ...about, write: 'deletion', by: metadata['deletedBy'] };
  const { createdBy, type, value, content, url } = write.put.attachment;
  const body = withValue ? { value: value?.text, content, url } : {};
  return { ...about, write: 'put', by: createdBy, type, ...body };
}
