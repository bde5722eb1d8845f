import type { Cluster, Redis } from 'ioredis';
import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import {
  AttachmentCache,
  type AppliedChange,
  type CachedAttachment,
  type CachedPage,
  type CachedTask,
  type Fill,
  type PageRequest,
} from '../../core/ports/attachment-cache';
import { fromHash, toHash, type HashFields } from './attachment-hash';
import { defineCacheScripts, type PageReply, type ReadReply } from './cache-scripts';
import { orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

/** How many attachments one script writes: Redis serves nobody else meanwhile. */
const FILL_CHUNK = 500;

/**
 * Attachments in Redis, shared by all replicas. One round trip is all commands of a call sent at once, each to the node
 * that has its slot.
 */
export class RedisAttachmentCache extends AttachmentCache {
  constructor(
    private readonly client: Redis | Cluster,
    private readonly keys: RedisKeys,
    private readonly ttlMs: number,
  ) {
    super();
    defineCacheScripts(client);
  }

  async read(refs: readonly AttachmentRef[], organization: string): Promise<readonly CachedAttachment[]> {
    const keysByTask = new Map<string, Set<string>>();
    for (const { taskId, key } of refs) {
      keysByTask.set(taskId, (keysByTask.get(taskId) ?? new Set()).add(key));
    }
    const tasks = await Promise.all(
      [...keysByTask].map(
        async ([taskId, keys]) => [taskId, await this.readKeys(taskId, organization, [...keys])] as const,
      ),
    );
    const found = new Map(tasks);
    return refs.map(({ taskId, key }) => found.get(taskId)?.get(key) as CachedAttachment);
  }

  async readTask(taskId: string): Promise<CachedTask> {
    return cachedTask(await orStoreError(this.client.cacheRead(...this.scriptKeys(taskId), [])));
  }

  async readPage(request: PageRequest): Promise<CachedPage> {
    const { taskId, organization, nowMs, offset, limit, descending, includeBodies } = request;
    const args = [organization, nowMs, offset, limit, descending ? 1 : 0, includeBodies ? 0 : 1];
    const reply = await orStoreError(this.client.cacheReadPage(...this.scriptKeys(taskId), args));
    const [, , , total, ...listed] = reply;
    const totalCount = Number(total);
    if (totalCount < 0) return cachedTask(reply);

    const entries = await Promise.all(
      listed.map(async ([key, op, outline]) => ({
        key,
        attachment: includeBodies
          ? await this.readBody({ taskId, key }, op)
          : fromHash({ taskId, key }, fieldsOf(outline), true),
      })),
    );
    return { ...cachedTask(reply), page: { totalCount, entries } };
  }

  async apply({ taskId, key, stamp, attachment }: AppliedChange): Promise<void> {
    const keys = this.scriptKeys(taskId);
    await orStoreError(
      attachment
        ? this.client.cacheApplyPut(...keys, [this.ttlMs, ...scriptArguments(attachment, true)])
        : this.client.cacheApplyDeletion(...keys, [this.ttlMs, key, stamp.version]),
    );
  }

  async wipe(taskId: string, version: number): Promise<void> {
    await orStoreError(this.client.cacheWipe(...this.scriptKeys(taskId), [this.ttlMs, version]));
  }

  async fill(fills: readonly Fill[]): Promise<void> {
    await Promise.all(fills.map((fill) => this.fillTask(fill)));
  }

  private async readKeys(
    taskId: string,
    organization: string,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, CachedAttachment>> {
    const reply = await orStoreError(this.client.cacheRead(...this.scriptKeys(taskId), [organization, ...keys]));
    const [, , , ...hashes] = reply;
    const about = cachedTask(reply);
    return new Map(
      keys.map((key, i) => [key, { ...about, attachment: fromHash({ taskId, key }, fieldsOf(hashes[i] ?? [])) }]),
    );
  }

  /** Undefined where the hash is not that of the record, or is no hash at all. */
  private async readBody(ref: AttachmentRef, op: string): Promise<Attachment | undefined> {
    const name = this.keys.attachment(ref);
    const fields = await orStoreError(this.client.hgetall(name).catch(nothingIfWrongType));
    return fields['op'] === op ? fromHash(ref, fields) : undefined;
  }

  /** Chunk after chunk, so that the last, which completes the task, cannot overtake another. */
  private async fillTask({ taskId, token, organization, attachments, withBodies, complete }: Fill): Promise<void> {
    const keys = this.scriptKeys(taskId);
    let from = 0;
    do {
      const chunk = attachments.slice(from, from + FILL_CHUNK);
      from += FILL_CHUNK;
      const completes = complete && from >= attachments.length ? 1 : 0;
      const rows = chunk.flatMap((attachment) => scriptArguments(attachment, withBodies));
      await orStoreError(this.client.cacheFill(...keys, [this.ttlMs, token, organization, completes, ...rows]));
    } while (from < attachments.length);
  }

  private scriptKeys(taskId: string): [string, string, string] {
    return [this.keys.control(taskId), this.keys.index(taskId), this.keys.attachmentPrefix(taskId)];
  }
}

function cachedTask([floor, deleted, organization]: ReadReply | PageReply): CachedTask {
  return { token: Number(floor), deleted: deleted === '1', organization: organization ?? undefined };
}

function scriptArguments(attachment: Attachment, withBody: boolean): (string | number)[] {
  const { key, version, op, expiresAtMs, createdAtMs } = attachment;
  const hash = withBody ? toHash(attachment) : [];
  return [key, version, op, expiresAtMs ?? 0, createdAtMs, hash.length, ...hash];
}

function fieldsOf(hash: readonly string[]): HashFields {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < hash.length; i += 2) fields[hash[i] as string] = hash[i + 1] as string;
  return fields;
}

function nothingIfWrongType(error: Error): HashFields {
  if (error.message.startsWith('WRONGTYPE')) return {};
  throw error;
}
