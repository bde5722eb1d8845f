import type { CachedAttachment } from '../../core/ports/attachment-cache';
import { ReadTurns } from './read-turns';
import type { SharedReads, TaskRead } from './shared-reads';

/** Of all callers together. */
const MAX_AT_ONCE = 4;
/** Of one read; a single attachment may exceed it. */
const MAX_READ_BYTES = 1024 * 1024;

/**
 * Reads of large bodies. All callers share one connection, and a reply waits until those before it have been received:
 * without a bound, a few batches of one caller would be a second of waiting for every other one.
 */
export class LargeReads {
  private readonly turns = new ReadTurns(MAX_AT_ONCE);

  constructor(private readonly reads: SharedReads) {}

  /** In parts, which may be of different moments. `bytes` have the attachments together, as far as is known. */
  async read(
    read: Omit<TaskRead, 'maxBytes'>,
    bytes: number,
  ): Promise<{ readonly attachments: readonly CachedAttachment[]; readonly bytes: number }> {
    const { keys } = read;
    const keysPerPart = Math.max(1, Math.floor((keys.length * MAX_READ_BYTES) / bytes));
    const parts: (readonly string[])[] = [];
    for (let from = 0; from < keys.length; from += keysPerPart) parts.push(keys.slice(from, from + keysPerPart));
    const found = await Promise.all(parts.map((part) => this.readPart({ ...read, keys: part })));
    return {
      attachments: found.flatMap(({ attachments }) => attachments),
      bytes: found.reduce((sum, part) => sum + part.bytes, 0),
    };
  }

  /** Rejects with a `StoreError` also if the organisation has too much to read. */
  inTurn<T>(organization: string, read: () => Promise<T>): Promise<T> {
    return this.turns.take(organization, read);
  }

  private async readPart(read: Omit<TaskRead, 'maxBytes'>): ReturnType<LargeReads['read']> {
    const maxBytes = read.keys.length > 1 ? MAX_READ_BYTES : Infinity;
    const { attachments, bytes } = await this.inTurn(read.organization, () => this.reads.read({ ...read, maxBytes }));
    return attachments ? { attachments, bytes } : this.read(read, bytes);
  }
}
