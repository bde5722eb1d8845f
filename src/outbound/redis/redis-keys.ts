import type { AttachmentRef } from '../../core/domain/attachment';

const CLUSTER_SHARDS = 64;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The names of the keys of a task. A task id has no colon, so two names never collide, whatever the keys of attachments
 * contain. In a cluster each name begins with the task's shard as a hash tag, so that all names of one task share a
 * slot with the journal and the cursor of the shard. A single server is one shard.
 */
export class RedisKeys {
  readonly shards: readonly number[];

  constructor(
    private readonly isCluster: boolean,
    /** Before every name, so that several deployments may share one Redis. It has no braces. */
    private readonly prefix = '',
  ) {
    this.shards = Array.from({ length: isCluster ? CLUSTER_SHARDS : 1 }, (_, shard) => shard);
  }

  shardOf(taskId: string): number {
    return this.isCluster ? fnv1a(taskId) % CLUSTER_SHARDS : 0;
  }

  /** A hash: what is known of the task, and which version of each attachment. */
  control(taskId: string): string {
    return `${this.taskPrefix(taskId)}:control`;
  }

  /** A sorted set of the keys of live attachments, by creation time in ms. */
  index(taskId: string): string {
    return `${this.taskPrefix(taskId)}:attachments`;
  }

  /** A hash: the attachment's documented members. */
  attachment({ taskId, key }: AttachmentRef): string {
    return `${this.attachmentPrefix(taskId)}${key}`;
  }

  /** The common beginning of the names of all attachments of the task. */
  attachmentPrefix(taskId: string): string {
    return `${this.taskPrefix(taskId)}:attachment:`;
  }

  /** The three names above. */
  ofTask(taskId: string): [control: string, index: string, attachmentPrefix: string] {
    return [this.control(taskId), this.index(taskId), this.attachmentPrefix(taskId)];
  }

  /** The names of the task with the owner of its shard before them, as the scripts on a task take them. */
  ofOwnedTask(taskId: string): [owner: string, control: string, index: string, attachmentPrefix: string] {
    return [this.owner(this.shardOf(taskId)), ...this.ofTask(taskId)];
  }

  /** A pattern for SCAN that every name of a task matches, and none of another deployment. */
  get taskPattern(): string {
    return `${this.prefix}${this.isCluster ? '{[0-9][0-9]}' : ''}cb:task:*`;
  }

  /** A pattern for an ACL that every name matches, and none of another deployment. */
  get aclPattern(): string {
    return `${this.prefix}${this.isCluster ? '{*}' : ''}cb:*`;
  }

  /** Never there: whether the user may change keys is tried with it. */
  get probe(): string {
    return `${this.shardPrefix(0)}cb:probe`;
  }

  /** Which control or hash has the name: `key` is that of the attachment of a hash. Undefined for any other name. */
  parse(name: string): { readonly taskId: string; readonly key?: string } | undefined {
    const [, taskId, kind, key] = /cb:task:([^:]+):(control$|attachment:)([^]*)$/.exec(name) ?? [];
    if (taskId === undefined) return undefined;
    const ref = kind === 'control' ? { taskId } : { taskId, key: key as string };
    const expected = ref.key === undefined ? this.control(taskId) : this.attachment({ taskId, key: ref.key });
    return name === expected ? ref : undefined;
  }

  /** A hash: the database and the epoch to which everything in the shard belongs. */
  owner(shard: number): string {
    return `${this.shardPrefix(shard)}cb:store`;
  }

  /** A list: writes that the database has not seen, oldest first. */
  journal(shard: number): string {
    return `${this.shardPrefix(shard)}cb:journal`;
  }

  /** A list: writes that the database refused, or that cannot be read. */
  deadLetters(shard: number): string {
    return `${this.shardPrefix(shard)}cb:dead-letters`;
  }

  /** A string: the outbox position up to which changes have been projected into the shard. */
  cursor(shard: number): string {
    return `${this.shardPrefix(shard)}cb:cursor`;
  }

  private taskPrefix(taskId: string): string {
    return `${this.shardPrefix(this.shardOf(taskId))}cb:task:${taskId}`;
  }

  private shardPrefix(shard: number): string {
    return this.isCluster ? `${this.prefix}{${String(shard).padStart(2, '0')}}` : this.prefix;
  }
}

/** Must never change: the names in every running cluster depend on it. */
function fnv1a(text: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0;
  return hash;
}
