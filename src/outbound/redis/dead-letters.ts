import type { JournalEntry } from '../../core/ports/attachment-journal';
import { fromText } from './journal-entry';
import type { RedisConnection } from './redis-connection';
import { nothingIfWrongType, orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

/** A write that was acknowledged, and that PostgreSQL refused, or that no replica could read. */
export interface DeadLetter {
  /** `unreadable`, `task-missing`, or PostgreSQL's code. */
  readonly reason: string;
  /** Undefined if the entry does not even begin with an op. */
  readonly op?: string;
  /** Undefined if it cannot be read. */
  readonly entry?: JournalEntry;
}

/** With the list and the text by which the letter is removed. */
interface StoredLetter extends DeadLetter {
  readonly list: string;
  readonly text: string;
}

export interface JournalStatus {
  readonly waiting: number;
  readonly deadLetters: number;
  /** The oldest entry of each part that has any and can be read. */
  readonly oldest: readonly JournalEntry[];
}

/** What an operator sees of the journal, without changing it, and what may be done with its dead letters. */
export class DeadLetters {
  constructor(
    private readonly connection: RedisConnection,
    private readonly keys: RedisKeys,
  ) {}

  async list(): Promise<readonly StoredLetter[]> {
    const lists = this.keys.shards.map((shard) => this.keys.deadLetters(shard));
    const texts = await Promise.all(lists.map((list) => this.range(list, -1)));
    return lists.flatMap((list, i) => (texts[i] as string[]).map((text) => ({ list, text, ...letterOf(text) })));
  }

  /** Returns false if it is not there any more. */
  async remove({ list, text }: StoredLetter): Promise<boolean> {
    return (await orStoreError(this.connection.client.lrem(list, 1, text))) > 0;
  }

  async status(): Promise<JournalStatus> {
    const { shards } = this.keys;
    const heads = await Promise.all(shards.map((shard) => this.range(this.keys.journal(shard), 0)));
    return {
      waiting: await this.count(shards.map((shard) => this.keys.journal(shard))),
      deadLetters: await this.count(shards.map((shard) => this.keys.deadLetters(shard))),
      oldest: heads.flat().flatMap((text) => fromText(text) ?? []),
    };
  }

  /** Up to the place `last`, -1 for all. */
  private async range(list: string, last: number): Promise<string[]> {
    return (await orStoreError(this.connection.client.lrange(list, 0, last).catch(nothingIfWrongType))) ?? [];
  }

  private async count(lists: readonly string[]): Promise<number> {
    const lengths = lists.map((list) => orStoreError(this.connection.client.llen(list).catch(nothingIfWrongType)));
    return (await Promise.all(lengths)).reduce((sum: number, length) => sum + (length ?? 0), 0);
  }
}

/** Before the reason was kept, a letter was the bare entry. */
function letterOf(text: string): DeadLetter {
  const [, reason = 'unknown', entryText = ''] = /^(?:([\w-]+) )?([0-9a-f-]{36} .*)$/s.exec(text) ?? [];
  const [op] = /^[0-9a-f-]{36}(?= )/.exec(entryText) ?? [];
  return op ? { reason, op, entry: fromText(entryText) } : { reason: 'unreadable' };
}
