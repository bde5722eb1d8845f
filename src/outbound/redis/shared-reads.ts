import { ReplyError } from 'ioredis';
import type { CachedAttachment, CachedTask } from '../../core/ports/attachment-cache';
import { cachedAttachment, taskHead } from './cache-replies';
import type { ScriptArguments } from './lua-scripts';
import type { RedisConnection } from './redis-connection';
import type { RedisEpoch } from './redis-epoch';
import { toStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';
import type { RedisSpans } from './redis-spans';

/** Of one script: Redis serves no other command while it runs. A single read may exceed it. */
const MAX_KEYS = 200;
const MAX_BYTES = 2 * 1024 * 1024;

/** Some attachments of one task. */
export interface TaskRead {
  readonly taskId: string;
  readonly organization: string;
  readonly keys: readonly string[];
  /** Of the values and contents together. */
  readonly maxBytes: number;
}

export interface TaskFound {
  readonly about: CachedTask;
  /** In the order of the keys; undefined if they have more bytes than was asked for. */
  readonly attachments?: readonly CachedAttachment[];
  readonly bytes: number;
}

interface Waiting {
  readonly read: TaskRead;
  readonly resolve: (found: TaskFound) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads of one iteration of the event loop share a script for each part of the cache: for a small read, a command of
 * its own costs both sides more than what it does.
 */
export class SharedReads {
  /**
   * A new one for each iteration: a map that is cleared links the table of its entries to the next one, and as soon as
   * one of these is old, V8 would keep all of them, with what was read, until it collects the old objects.
   */
  private waiting = new Map<number, Waiting[]>();

  constructor(
    private readonly client: RedisConnection['client'],
    private readonly keys: RedisKeys,
    private readonly epoch: RedisEpoch,
    private readonly spans?: RedisSpans,
  ) {}

  /** Rejects with a `StoreError`. */
  read(read: TaskRead): Promise<TaskFound> {
    return this.spans ? this.spans.ofScript('cacheRead', () => this.enter(read)) : this.enter(read);
  }

  private enter(read: TaskRead): Promise<TaskFound> {
    return new Promise((resolve, reject) => {
      if (this.waiting.size === 0) setImmediate(() => this.sendAll());
      const shard = this.keys.shardOf(read.taskId);
      const others = this.waiting.get(shard);
      if (others) others.push({ read, resolve, reject });
      else this.waiting.set(shard, [{ read, resolve, reject }]);
    });
  }

  private sendAll(): void {
    const { waiting } = this;
    this.waiting = new Map();
    for (const [shard, reads] of waiting) {
      let from = 0;
      while (from < reads.length) {
        const end = endOfScript(reads, from);
        void this.send(shard, reads.slice(from, end));
        from = end;
      }
    }
  }

  private async send(shard: number, reads: readonly Waiting[]): Promise<void> {
    try {
      const { generation, name } = this.epoch;
      const names = [this.keys.owner(shard), ...reads.flatMap(({ read }) => this.keys.ofTask(read.taskId))];
      names.push(this.keys.cursor(shard));
      const reply = await this.client.cacheRead(names.length, names, [name, ...reads.flatMap(argumentsOf)]);
      answer(reads, reply, generation);
    } catch (error) {
      // A script fails as a whole, for example if a task that is not known cannot be noted because the memory is full.
      if (reads.length > 1 && error instanceof ReplyError) for (const read of reads) void this.send(shard, [read]);
      else for (const { reject } of reads) reject(toStoreError(error));
    }
  }
}

function endOfScript(reads: readonly Waiting[], from: number): number {
  let [keys, bytes, end] = [0, 0, from];
  do {
    const { read } = reads[end] as Waiting;
    keys += read.keys.length;
    bytes += read.maxBytes;
    if (end > from && (keys > MAX_KEYS || bytes > MAX_BYTES)) break;
    end += 1;
  } while (end < reads.length);
  return end;
}

function argumentsOf({ read }: Waiting): ScriptArguments {
  const { organization, maxBytes, keys } = read;
  return [organization, Math.min(maxBytes, Number.MAX_SAFE_INTEGER), keys.length, ...keys];
}

function answer(reads: readonly Waiting[], reply: readonly string[], generation: number): void {
  let at = 0;
  for (const { read, resolve } of reads) {
    const { taskId, keys, maxBytes } = read;
    const { about, bytes } = taskHead(reply[at++] as string, generation);
    if (bytes > maxBytes) resolve({ about, bytes });
    else {
      const attachments = keys.map((key) => cachedAttachment(about, { taskId, key }, reply[at++] as string));
      resolve({ about, bytes, attachments });
    }
  }
}
