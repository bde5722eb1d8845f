import type { Cluster, Redis } from 'ioredis';
import { groupedBy } from '../../core/consistency/grouped-by';
import { isoTime } from '../../core/domain/iso-time';
import { CACHE_TIMEOUT_MS } from '../../core/ports/time-limits';
import {
  AttachmentJournal,
  refOf,
  type JournalEntry,
  type JournalOutcome,
  type SettledEntry,
  type SettleOutcome,
  type JournaledWrite,
} from '../../core/ports/attachment-journal';
import { anyAnswers, inTime } from './answers';
import { scriptArguments } from './cache-replies';
import { fromText, toText } from './journal-entry';
import { defineJournalScripts, type AppendReply } from './journal-scripts';
import type { RedisConnection } from './redis-connection';
import { RedisEpoch } from './redis-epoch';
import { nothingIfWrongType, orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

const MAX_OLDEST = 500;
/** How many entries one script settles. Redis serves no other command while a script runs. */
const SETTLE_CHUNK = 100;
/** The limit for the entries after the first, which may itself be larger. */
const MAX_OLDEST_BYTES = 4 * 1024 * 1024;

/** A journal for each shard, next to the cached data of the shard's tasks. It is as durable as this Redis. */
export class RedisAttachmentJournal extends AttachmentJournal {
  private readonly client: Redis | Cluster;

  constructor(
    connection: RedisConnection,
    private readonly keys: RedisKeys,
    private readonly ttlMs: number,
    /** Called for each new dead letter; without an entry if it cannot be read. */
    private readonly onDeadLetter: (entry?: JournalEntry) => void = () => undefined,
    private readonly epoch = new RedisEpoch(connection),
  ) {
    super();
    this.client = connection.client;
    defineJournalScripts(this.client);
  }

  async append(write: JournaledWrite, nowMs: number): Promise<JournalOutcome> {
    const { generation, name } = this.epoch;
    const { taskId } = refOf(write);
    const args = [name, this.ttlMs, write.organization, nowMs, toText(write), ...writeArguments(write)];
    const journal = this.keys.journal(this.keys.shardOf(taskId));
    return outcomeOf(
      await orStoreError(this.client.journalAppend(...this.keys.ofOwnedTask(taskId), journal, args)),
      generation,
    );
  }

  async oldest(): Promise<readonly (readonly JournalEntry[])[]> {
    const { generation, name } = this.epoch;
    const shards = this.keys.shards.map((shard) => this.oldestOf(shard, generation, name));
    const entries = await inTime(anyAnswers(shards), CACHE_TIMEOUT_MS);
    return entries.filter(({ length }) => length > 0);
  }

  async settle(settled: readonly SettledEntry[]): Promise<number> {
    const { generation } = this.epoch;
    const valid = settled.filter(({ entry }) => entry.generation === generation);
    const parts = groupedBy(valid, ({ entry }) => String(this.keys.shardOf(entry.ref.taskId)));
    const counts = await Promise.all(parts.flatMap((part) => this.settlePart(part)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }> {
    const { shards } = this.keys;
    const [waiting, deadLetters] = await Promise.all([
      this.count(shards.map((shard) => this.keys.journal(shard))),
      this.count(shards.map((shard) => this.keys.deadLetters(shard))),
    ]);
    return { waiting, deadLetters };
  }

  /** No call waits for the reply to the one before: Redis takes them in this order all the same. */
  private settlePart(part: readonly SettledEntry[]): Promise<number>[] {
    const calls: Promise<number>[] = [];
    for (let from = 0; from < part.length; from += SETTLE_CHUNK) {
      calls.push(this.settleChunk(part.slice(from, from + SETTLE_CHUNK)));
    }
    return calls;
  }

  private async settleChunk(chunk: readonly SettledEntry[]): Promise<number> {
    const shard = this.keys.shardOf((chunk[0] as SettledEntry).entry.ref.taskId);
    const keys = [
      this.keys.owner(shard),
      ...chunk.flatMap(({ entry }) => this.keys.ofTask(entry.ref.taskId)),
      this.keys.journal(shard),
      this.keys.deadLetters(shard),
    ];
    const args = [this.epoch.name, this.ttlMs, ...chunk.flatMap(settleArguments)];
    const taken = await orStoreError(this.client.journalSettle(keys.length, keys, args));
    for (const { entry, outcome } of chunk.slice(0, taken)) {
      if (outcome.state === 'refused') this.onDeadLetter(entry);
    }
    return taken;
  }

  /** Ends before an entry that cannot be read. Such an entry is moved when it is the oldest. */
  private async oldestOf(shard: number, generation: number, epoch: string): Promise<readonly JournalEntry[]> {
    const [owner, journal] = [this.keys.owner(shard), this.keys.journal(shard)];
    const texts = await orStoreError(this.client.journalOldest(owner, journal, epoch, MAX_OLDEST, MAX_OLDEST_BYTES));
    const entries: JournalEntry[] = [];
    for (const text of texts) {
      const entry = fromText(text);
      if (entry) entries.push({ ...entry, generation });
      else if (entries.length > 0) break;
      else {
        await orStoreError(this.client.journalBury(owner, journal, this.keys.deadLetters(shard), epoch, text));
        this.onDeadLetter();
      }
    }
    return entries;
  }

  /** Of the shards whose server is available. */
  private async count(lists: readonly string[]): Promise<number> {
    const lengths = lists.map((list) => orStoreError(this.client.llen(list).catch(nothingIfWrongType)));
    return (await anyAnswers(lengths)).reduce((sum: number, length) => sum + (length ?? 0), 0);
  }
}

function writeArguments(write: JournaledWrite): (string | number)[] {
  if ('put' in write) return ['put', ...scriptArguments(write.put.attachment, true)];
  const { key, stamp } = write.deletion;
  return ['deletion', key, stamp.version, stamp.op];
}

function settleArguments({ entry, outcome }: SettledEntry): (string | number)[] {
  return [entry.op, entry.ref.key, outcome.state, ...detailsOf(outcome)];
}

/** Always four, so that the script finds the next entry. */
function detailsOf(outcome: SettleOutcome): (string | number)[] {
  if (outcome.state === 'refused') return [outcome.reason, '', '', ''];
  if (outcome.state !== 'applied' || !outcome.identity) return ['', '', '', ''];
  const { id, createdAtMs, createdBy } = outcome.identity;
  return [id, isoTime(createdAtMs), createdBy, createdAtMs];
}

function outcomeOf(reply: AppendReply, generation: number): JournalOutcome {
  if (reply[0] === 'superseded') return { state: 'superseded', version: Number(reply[1]) };
  if (reply[0] !== 'journaled') return { state: reply[0] };
  if (reply.length === 1) return { state: 'journaled', generation };
  const [, id, createdAt, createdBy] = reply;
  return { state: 'journaled', generation, replaced: { id, createdAtMs: Date.parse(createdAt), createdBy } };
}
