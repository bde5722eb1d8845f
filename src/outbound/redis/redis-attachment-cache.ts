import type { Cluster, Redis } from 'ioredis';
import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import { CACHE_TIMEOUT_MS } from '../../core/ports/time-limits';
import {
  AttachmentCache,
  EPOCH_SILENCE_MS,
  type AppliedChange,
  type AppliedReply,
  type CachedAttachment,
  type CachedPage,
  type CachedTask,
  type EpochClaim,
  type EpochVerdict,
  type Fill,
  type PageRequest,
  type ProjectionCursor,
} from '../../core/ports/attachment-cache';
import type { Room } from '../../core/ports/room';
import { readWithin, UNBOUNDED } from '../system/read-within';
import type { OutboxChange } from '../../core/ports/outbox';
import { anyAnswers, inTime } from './answers';
import { fromHash, type HashFields } from './attachment-hash';
import { cachedTask, journaledChanges, pageEntries, scriptArguments } from './cache-replies';
import { defineCacheScripts, type PageReply } from './cache-scripts';
import { LargeReads } from './large-reads';
import { cursorsOf, projections, type Projection } from './projection';
import { RecordReads } from './record-reads';
import type { RedisConnection } from './redis-connection';
import { RedisEpoch } from './redis-epoch';
import { nothingIfWrongType, orStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';
import { SharedReads, type TaskFound, type TaskRead } from './shared-reads';

/** How many attachments one script writes. Redis serves no other command while a script runs. */
const FILL_CHUNK = 500;
/** Few tasks have more journaled changes. */
const USUAL_JOURNALED = 16;
/** The bodies that the script of a page reads. Those of a larger page are read one by one. */
const MAX_PAGE_BYTES = 1024 * 1024;

/**
 * Attachments in Redis, shared by all replicas. In one round trip all commands of a call are sent at once, each to the
 * node that has its slot. The generation of a reply is the one in which its command is sent.
 */
export class RedisAttachmentCache extends AttachmentCache {
  private readonly client: Redis | Cluster;
  private readonly reads: SharedReads;
  private readonly largeReads: LargeReads;
  private readonly recordReads = new RecordReads();

  constructor(
    connection: RedisConnection,
    private readonly keys: RedisKeys,
    private readonly ttlMs: number,
    private readonly epoch = new RedisEpoch(connection),
    /** A fingerprint of the address of the store. */
    private readonly address = 'unknown',
  ) {
    super();
    this.client = connection.client;
    defineCacheScripts(this.client);
    this.reads = new SharedReads(this.client, keys, epoch, connection.spans);
    this.largeReads = new LargeReads(this.reads);
  }

  async read(refs: readonly AttachmentRef[], organization: string, room?: Room): Promise<readonly CachedAttachment[]> {
    const keysByTask = new Map<string, Set<string>>();
    for (const { taskId, key } of refs) {
      keysByTask.set(taskId, (keysByTask.get(taskId) ?? new Set()).add(key));
    }
    const tasks = [...keysByTask].map(([taskId, keys]) => ({ taskId, organization, keys: [...keys] }));
    const found = await this.readTasks(tasks, organization, refs.length, room);
    const byRef = new Map(found.map(({ taskId, byKey }) => [taskId, byKey]));
    return refs.map(({ taskId, key }) => byRef.get(taskId)?.get(key) as CachedAttachment);
  }

  async readTask(taskId: string): Promise<CachedTask> {
    const { about } = await this.reads.read({ taskId, organization: '', keys: [], maxBytes: 0 });
    return about;
  }

  readPage(request: PageRequest): Promise<CachedPage> {
    return inTime(this.askForPage(request), CACHE_TIMEOUT_MS);
  }

  async apply({ taskId, key, stamp, attachment }: AppliedChange): Promise<AppliedReply> {
    const { generation, name } = this.epoch;
    const keys = this.keys.ofOwnedTask(taskId);
    const newer = await orStoreError(
      attachment
        ? this.client.cacheApplyPut(...keys, [name, this.ttlMs, ...scriptArguments(attachment, true)])
        : this.client.cacheApplyDeletion(...keys, [name, this.ttlMs, key, stamp.version, stamp.op]),
    );
    return { newer: newer === null ? undefined : Number(newer), generation };
  }

  async wipe(taskId: string, version: number): Promise<void> {
    await orStoreError(this.client.cacheWipe(...this.keys.ofOwnedTask(taskId), [this.epoch.name, this.ttlMs, version]));
  }

  async fill(fills: readonly Fill[]): Promise<void> {
    await Promise.all(fills.map((fill) => this.fillTask(fill)));
  }

  async cursors(shards = this.keys.shards): Promise<readonly ProjectionCursor[]> {
    const { generation } = this.epoch;
    const { keys, address, client } = this;
    const replies = await anyAnswers(
      shards.map(async (shard) => {
        const reply = client.cacheOwner(keys.owner(shard), keys.cursor(shard), address);
        return { shard, reply: await orStoreError(reply) };
      }),
    );
    return cursorsOf(replies, generation);
  }

  async project(cursor: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void> {
    const calls = projections(cursor, changes, to, this.keys, this.epoch.name);
    await Promise.all(calls.map((ofShard) => this.projectShard(ofShard)));
  }

  async enter(parts: readonly number[], { databaseId, epoch, ended }: EpochClaim): Promise<EpochVerdict> {
    const args = [databaseId, epoch, this.address, EPOCH_SILENCE_MS, ...ended];
    const verdicts = await Promise.all(
      parts.map((shard) => orStoreError(this.client.cacheEnter(this.keys.owner(shard), this.keys.cursor(shard), args))),
    );
    return verdicts.find((verdict) => verdict !== 'entered') ?? 'entered';
  }

  /** Every task has its part of the guess. What turns out to be larger is read again as soon as all of it has room. */
  private async readTasks(
    tasks: readonly Omit<TaskRead, 'maxBytes'>[],
    organization: string,
    bodies: number,
    room = UNBOUNDED,
  ) {
    const guessBytes = room.guess(bodies);
    const reads = tasks.map((task) => ({ maxBytes: Math.floor((guessBytes * task.keys.length) / bodies), ...task }));
    const first = await this.recordReads.inTurn(bodies, organization, () =>
      Promise.all(reads.map((read) => this.reads.read(read))),
    );
    const missing = first.reduce((sum, { attachments, bytes }) => (attachments ? sum : sum + bytes), 0);
    if (missing > 0) room.take(missing);
    return Promise.all(
      reads.map(async (read, i) => {
        const found = first[i] as TaskFound;
        const attachments = found.attachments ?? (await this.readLarge(read, found.bytes, room));
        return { taskId: read.taskId, byKey: new Map(read.keys.map((key, at) => [key, attachments[at]])) };
      }),
    );
  }

  private async readLarge(read: TaskRead, knownBytes: number, room: Room): Promise<readonly CachedAttachment[]> {
    const { attachments, bytes } = await this.largeReads.read(read, knownBytes);
    // They have grown.
    if (bytes > knownBytes) room.take(bytes);
    return attachments;
  }

  private async askForPage(request: PageRequest): Promise<CachedPage> {
    const { taskId, page, room = UNBOUNDED } = request;
    if (!page) return readWithin(room, USUAL_JOURNALED, (maxBytes) => this.askForJournaled(request, maxBytes));
    const guessBytes = page.includeBodies ? Math.min(room.guess(page.limit), MAX_PAGE_BYTES) : 0;
    const pageArgs = [page.offset, page.limit, page.descending ? 1 : 0, page.includeBodies ? 0 : 1];
    const known = page.known.flatMap(({ key, version, deleted }) => [key, version, deleted ? 1 : 0]);
    const { reply, generation } = await this.recordReads.inTurn(page.limit, request.organization, () =>
      this.askScript(request, guessBytes, [...pageArgs, ...known]),
    );
    const [, , , , total, listed, bytes, journaled] = reply;
    // Either there are none, or a page must not wait for them.
    const about = { journaled: journaled === undefined ? undefined : [], ...cachedTask(reply, generation) };
    const totalCount = Number(total);
    if (totalCount < 0) return about;
    const entries =
      bytes > guessBytes
        ? await this.largeEntries(request, listed, bytes, room)
        : pageEntries(taskId, listed, !page.includeBodies);
    return { page: { totalCount, entries }, ...about };
  }

  /** Of changes that are larger than `maxBytes`, their size instead. */
  private async askForJournaled(request: PageRequest, maxBytes: number): Promise<CachedPage | number> {
    const { reply, generation } = await this.askScript(request, maxBytes);
    const journaled = reply[7] ?? [];
    if (typeof journaled === 'string') return Number(journaled);
    return { journaled: journaledChanges(request.taskId, journaled), ...cachedTask(reply, generation) };
  }

  private async askScript(
    { taskId, organization, nowMs }: PageRequest,
    maxBytes: number,
    page: readonly (string | number)[] = [],
  ): Promise<{ readonly reply: PageReply; readonly generation: number }> {
    const { generation, name } = this.epoch;
    const args = [name, organization, nowMs, Math.min(maxBytes, Number.MAX_SAFE_INTEGER), ...page];
    return { reply: await orStoreError(this.client.cacheReadPage(...this.readKeysOf(taskId), args)), generation };
  }

  /** Bodies that the page could not carry are read one by one, as soon as all of them have room. */
  private largeEntries({ taskId, organization }: PageRequest, listed: readonly string[], bytes: number, room: Room) {
    room.take(bytes);
    return Promise.all(
      listed.map(async (packed) => {
        const [key, op] = packed.split('\0', 2) as [string, string];
        const read = () => this.readBody({ taskId, key }, op);
        return { key, attachment: await this.largeReads.inTurn(organization, read) };
      }),
    );
  }

  /** Undefined if the hash does not belong to the record, or if the key is not a hash. */
  private async readBody(ref: AttachmentRef, op: string): Promise<Attachment | undefined> {
    const reply: Promise<HashFields | undefined> = this.client.hgetall(this.keys.attachment(ref));
    const fields = await orStoreError(reply.catch(nothingIfWrongType));
    return fields?.['op'] === op ? fromHash(ref, fields) : undefined;
  }

  /**
   * The chunks are written one after the other, so that the last one, which completes the task, cannot overtake
   * another. Each chunk has the full time-out of a call: a large task is not given up while Redis replies.
   */
  private async fillTask(fill: Fill): Promise<void> {
    const { taskId, token, organization, attachments, withBodies, complete } = fill;
    const keys = this.keys.ofOwnedTask(taskId);
    let from = 0;
    do {
      // Redis may have come back with older data, in which nothing shows that the token is void.
      if (token.generation !== this.epoch.generation) return;
      const chunk = attachments.slice(from, from + FILL_CHUNK);
      from += FILL_CHUNK;
      const whole = fill.isNewTask ? 'new' : 'whole';
      const completes = complete && from >= attachments.length ? whole : 'part';
      const rows = chunk.flatMap((attachment) => scriptArguments(attachment, withBodies));
      await orStoreError(
        this.client.cacheFill(...keys, [this.epoch.name, this.ttlMs, token.floor, organization, completes, ...rows]),
      );
    } while (from < attachments.length);
  }

  private async projectShard(calls: readonly Projection[]): Promise<void> {
    for (const { keys, args } of calls) await orStoreError(this.client.cacheProject(keys.length, keys, args));
  }

  private readKeysOf(taskId: string): [string, string, string, string, string] {
    return [...this.keys.ofOwnedTask(taskId), this.keys.cursor(this.keys.shardOf(taskId))];
  }
}
