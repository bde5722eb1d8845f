import type { AttachmentRef } from '../../core/domain/attachment';

const SHARDS = 64;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The names under which a task is kept. A task id has no colon, so they cannot be mistaken for one another, whatever
 * the keys of attachments hold. In a cluster each begins with the task's shard as a hash tag: all names of one task
 * share a slot.
 */
export class RedisKeys {
  constructor(private readonly isCluster: boolean) {}

  /** A hash: what is known of the task, and which version of each attachment. */
  control(taskId: string): string {
    return `${this.prefix(taskId)}cb:task:${taskId}:control`;
  }

  /** A sorted set of the keys of live attachments, by creation time in ms. */
  index(taskId: string): string {
    return `${this.prefix(taskId)}cb:task:${taskId}:attachments`;
  }

  /** A hash: the attachment's documented members. */
  attachment({ taskId, key }: AttachmentRef): string {
    return `${this.attachmentPrefix(taskId)}${key}`;
  }

  /** What the names of all attachments of the task begin with. */
  attachmentPrefix(taskId: string): string {
    return `${this.prefix(taskId)}cb:task:${taskId}:attachment:`;
  }

  private prefix(taskId: string): string {
    return this.isCluster ? `{${String(shardOf(taskId)).padStart(2, '0')}}` : '';
  }
}

/** FNV-1a; the names in every running cluster depend on it. */
function shardOf(taskId: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(taskId)) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0;
  return hash % SHARDS;
}
