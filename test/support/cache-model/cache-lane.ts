import type { Cluster, Redis } from 'ioredis';
import { inspect } from 'node:util';
import type { Attachment } from '../../../src/core/domain/attachment';
import { attachmentCreated, attachmentDeleted } from '../../../src/core/domain/domain-event';
import { JsonText } from '../../../src/core/domain/json-text';
import { versionAt, type WriteStamp } from '../../../src/core/domain/version';
import {
  putChange,
  type CachedPage,
  type CachedTask,
  type FillToken,
  type PageRequest,
} from '../../../src/core/ports/attachment-cache';
import type { JournalEntry, JournaledWrite } from '../../../src/core/ports/attachment-journal';
import type { OutboxChange } from '../../../src/core/ports/outbox';
import { RedisAttachmentCache } from '../../../src/outbound/redis/redis-attachment-cache';
import { RedisAttachmentJournal } from '../../../src/outbound/redis/redis-attachment-journal';
import type { RedisConnection } from '../../../src/outbound/redis/redis-connection';
import { RedisEpoch } from '../../../src/outbound/redis/redis-epoch';
import { RedisKeys } from '../../../src/outbound/redis/redis-keys';
import { sampleAttachment } from '../sample-attachment';
import type { Command, Row, StampChoice } from './cache-command';
import { CacheModel } from './cache-model';
import { ModelAttachmentCache } from './model-attachment-cache';
import { ModelAttachmentJournal } from './model-attachment-journal';
import { ModelEpoch } from './model-epoch';
import { contentsOfModel, contentsOfRedis, namesOf } from './redis-contents';

const TTL_MS = 3_600_000;
const AGED_TTL_MS = 600_000;
const ADDRESS = 'address-1';
const DATABASES = ['database-1', 'database-2'] as const;
const EPOCHS = ['epoch-1', 'epoch-2', 'epoch-3'] as const;
const ORGANIZATIONS = ['acme', 'other'] as const;
const KEYS = ['a', 'b', '{ü}:c'] as const;
const LONG_AGO_MS = Date.UTC(2025, 5, 1);
const FAR_MS = Date.UTC(2100, 0, 1);
const EXPIRIES_MS = [undefined, LONG_AGO_MS, FAR_MS, FAR_MS + 1] as const;
const MOMENTS_MS = [LONG_AGO_MS - 1, LONG_AGO_MS, FAR_MS - 1, FAR_MS, FAR_MS + 1] as const;
/** Around leap days, and out of the order of the keys. */
const CREATION_TIMES_MS = [
  '2024-02-29T23:59:59.999Z',
  '2025-03-01T00:00:00.000Z',
  '2000-02-29T12:00:00.001Z',
  '2026-12-31T23:59:59.999Z',
  '1970-01-01T00:00:00.000Z',
  '2099-02-28T01:02:03.004Z',
].map((time) => Date.parse(time));
const BODIES: readonly Partial<Attachment>[] = [
  { content: 'plain' },
  { type: 'markdown', content: '', mimeType: 'text/plain', size: 5 },
  { type: 'json', value: JsonText.restore('{"10":1.50,"2":"\\u00e9"}') },
  { type: 'url', url: 'https://example.org/?a=b c' },
  { type: 'binary', mimeType: 'application/pdf', size: 2 ** 40, createdBy: 'someone else' },
  { content: 'Größe 🙂\n"quoted"', createdBy: 'bob ü' },
];

/** The names of one shard only, so that lanes do not see one another. */
class ShardKeys extends RedisKeys {
  override readonly shards: readonly number[];

  constructor(isCluster: boolean, shard: number) {
    super(isCluster);
    this.shards = [shard];
  }
}

/** Runs sequences of commands on Redis and on the model, Redis first, and throws if they differ. */
export class CacheLane {
  private readonly client: Redis | Cluster;
  private readonly names: RedisKeys;
  private readonly taskIds: readonly string[];
  private readonly cache: RedisAttachmentCache;
  private readonly journal: RedisAttachmentJournal;
  private readonly epoch: RedisEpoch;

  constructor(
    connection: RedisConnection,
    isCluster: boolean,
    private readonly shard: number,
  ) {
    this.client = connection.client;
    this.names = new ShardKeys(isCluster, shard);
    this.taskIds = tasksOf(this.names, shard);
    this.epoch = new RedisEpoch(connection);
    this.cache = new RedisAttachmentCache(connection, this.names, TTL_MS, this.epoch, ADDRESS);
    this.journal = new RedisAttachmentJournal(connection, this.names, TTL_MS, undefined, this.epoch);
  }

  async run(commands: readonly Command[]): Promise<void> {
    const names = { shard: this.shard, taskIds: this.taskIds, keys: KEYS };
    await this.client.del(...namesOf(this.names, names));
    const { client, epoch, cache, journal, taskIds } = this;
    epoch.use('');
    const nowMs = Date.now();
    const sequence = new Sequence({ client, epoch, names: this.names, cache, journal, taskIds, nowMs });
    for (const command of commands) await sequence.take(command);
    const redis = await contentsOfRedis(client, this.names, names);
    expectSame('contents', redis, contentsOfModel(sequence.model, names, nowMs));
  }
}

interface Side {
  readonly client: Redis | Cluster;
  readonly epoch: RedisEpoch;
  readonly names: RedisKeys;
  readonly cache: RedisAttachmentCache;
  readonly journal: RedisAttachmentJournal;
  readonly taskIds: readonly string[];
  readonly nowMs: number;
}

class Sequence {
  readonly model: CacheModel;
  private readonly modelCache: ModelAttachmentCache;
  private readonly modelJournal: ModelAttachmentJournal;
  private readonly modelEpoch: ModelEpoch;
  private readonly tokens: FillToken[] = [];
  private settled?: JournalEntry;
  private givenFloor = 0;
  private ops = 0;

  constructor(private readonly redis: Side) {
    // The model counts the changes of the epoch by itself.
    const before = redis.epoch.generation;
    const generation = () => before;
    this.model = new CacheModel({ ttlMs: TTL_MS, nowMs: () => redis.nowMs, newFloor: () => this.givenFloor });
    const epoch = new ModelEpoch(this.model, generation);
    this.modelCache = new ModelAttachmentCache(this.model, epoch, ADDRESS);
    this.modelJournal = new ModelAttachmentJournal(this.model, epoch);
    this.modelEpoch = epoch;
  }

  async take(command: Command): Promise<void> {
    switch (command.kind) {
      case 'read':
        return this.read(command);
      case 'read-task':
        return void (await this.readTask(this.taskId(command.task)));
      case 'page':
        return this.page(command);
      case 'put':
        return this.apply(putChange(this.attachment(command.task, command.row)));
      case 'delete':
        return this.apply(this.deletion(command.task, command.row));
      case 'wipe':
        return this.wipe(command);
      case 'fill':
        return this.fill(command);
      case 'append':
        return this.append(command);
      case 'settle':
        return this.settle(command);
      case 'project':
        return this.project(command);
      case 'evict':
        return this.evict(command);
      case 'age':
        return this.age(command.task);
      case 'oldest':
        return expectSame('oldest', await this.redis.journal.oldest(), await this.modelJournal.oldest());
      case 'backlog':
        return expectSame('backlog', await this.redis.journal.backlog(), await this.modelJournal.backlog());
      case 'enter':
        return this.enter(command);
      case 'cursors':
        return expectSame('cursors', await this.redis.cache.cursors(), await this.cursorsOfModel());
    }
  }

  private async read({ refs, organization }: Command & { kind: 'read' }): Promise<void> {
    const asked = refs.map(({ task, key }) => ({ taskId: this.taskId(task), key: KEYS[key] as string }));
    const from = ORGANIZATIONS[organization] as string;
    const replies = await this.redis.cache.read(asked, from);
    for (const [i, reply] of replies.entries()) {
      this.heed(reply);
      const [expected] = await this.modelCache.read(asked.slice(i, i + 1), from);
      expectSame('read', reply, expected);
    }
  }

  private async readTask(taskId: string): Promise<FillToken> {
    const reply = await this.redis.cache.readTask(taskId);
    this.heed(reply);
    expectSame('readTask', reply, await this.modelCache.readTask(taskId));
    return reply.token;
  }

  private async page({ task, organization, now, page }: Command & { kind: 'page' }): Promise<void> {
    const known = (page?.known ?? []).map(({ key, stamp, deleted }) => {
      return { key: KEYS[key] as string, version: this.stamp(task, key, stamp).version, deleted };
    });
    const request: PageRequest = {
      taskId: this.taskId(task),
      organization: ORGANIZATIONS[organization] as string,
      nowMs: MOMENTS_MS[now] as number,
      page: page && { ...page, known },
    };
    const reply = await this.redis.cache.readPage(request);
    this.heed(reply);
    const expected = await this.modelCache.readPage(request);
    const byKey = ({ journaled }: CachedPage) => journaled?.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expectSame('readPage', { ...reply, journaled: byKey(reply) }, { ...expected, journaled: byKey(expected) });
  }

  private async apply(change: ReturnType<typeof putChange>): Promise<void> {
    expectSame('apply', await this.redis.cache.apply(change), await this.modelCache.apply(change));
  }

  private async wipe({ task, row }: Command & { kind: 'wipe' }): Promise<void> {
    const { version } = this.stamp(task, row.key, row.stamp);
    await this.redis.cache.wipe(this.taskId(task), version);
    await this.modelCache.wipe(this.taskId(task), version);
  }

  private async fill(command: Command & { kind: 'fill' }): Promise<void> {
    const { task, organization, rows, withBodies, complete, isNewTask } = command;
    const token = await this.token(command);
    const attachments = rows.map((row) => {
      const attachment = this.attachment(task, row);
      return withBodies ? attachment : { ...attachment, value: undefined, content: undefined };
    });
    const from = ORGANIZATIONS[organization] as string;
    const about = { taskId: this.taskId(task), organization: from, token };
    const fill = { ...about, attachments, withBodies, complete, isNewTask };
    await this.redis.cache.fill([fill]);
    await this.modelCache.fill([fill]);
  }

  private async append({ task, organization, isDeletion, row, now }: Command & { kind: 'append' }): Promise<void> {
    const at = MOMENTS_MS[now] as number;
    const write: JournaledWrite = {
      organization: ORGANIZATIONS[organization] as string,
      ...(isDeletion ? this.journaledDeletion(task, row) : this.journaledPut(task, row)),
    };
    const reply = await this.redis.journal.append(write, at);
    expectSame('append', reply, await this.modelJournal.append(write, at));
  }

  private async settle({ entry: choice, outcome, createdAt }: Command & { kind: 'settle' }): Promise<void> {
    const [waiting = []] = await this.modelJournal.oldest();
    const entries = {
      oldest: waiting.slice(0, 1),
      second: waiting.slice(1, 2),
      'settled before': this.settled ? [this.settled] : [],
      'the first two': waiting.slice(0, 2),
      'the second, then the first': waiting.slice(0, 2).toReversed(),
    }[choice];
    if (entries.length === 0) return;
    const identity = { id: 'ta-other', createdAtMs: CREATION_TIMES_MS[createdAt] as number, createdBy: 'the database' };
    const answer = {
      applied: { state: 'applied' },
      'applied as another': { state: 'applied', identity },
      superseded: { state: 'superseded' },
      refused: { state: 'refused', reason: '22P05' },
      postponed: { state: 'postponed' },
    } as const;
    const settled = entries.map((entry) => ({ entry, outcome: answer[outcome] }));
    const taken = await this.redis.journal.settle(settled);
    expectSame('settle', taken, await this.modelJournal.settle(settled));
    this.settled = entries.at(-1);
  }

  private async project({ from, by, changes }: Command & { kind: 'project' }): Promise<void> {
    const [here] = await this.cursorsOfModel();
    const position = { here: here?.position, elsewhere: (here?.position ?? 100) + 1, nowhere: undefined }[from];
    const cursor = { generation: 0, parts: this.redis.names.shards, position };
    const rows = changes.map(({ task, row, change }): OutboxChange => {
      const taskId = this.taskId(task);
      const stamp = this.stamp(task, row.key, row.stamp);
      if (change === 'task-deleted') return { kind: 'task-deleted', taskId, version: stamp.version };
      return { kind: 'attachment', taskId, key: KEYS[row.key] as string, ...stamp, deleted: change === 'deletion' };
    });
    const to = (here?.position ?? 100) + by;
    await this.redis.cache.project(cursor, rows, to);
    await this.modelCache.project(cursor, rows, to);
  }

  /** Afterwards both use the epoch that was claimed, whether or not it may be entered. */
  private async enter({ database, epoch, ended }: Command & { kind: 'enter' }): Promise<void> {
    const claim = {
      databaseId: DATABASES[database] as string,
      epoch: EPOCHS[epoch] as string,
      ended: new Set(ended.map((one) => EPOCHS[one] as string)),
    };
    const verdict = await this.redis.cache.enter(this.redis.names.shards, claim);
    expectSame('enter', verdict, await this.modelCache.enter(this.redis.names.shards, claim));
    if (verdict !== 'entered') return;
    this.redis.epoch.use(claim.epoch);
    this.modelEpoch.use(claim.epoch);
    // What is left of the epoch before gets a new floor, which only a read tells.
    for (const taskId of this.redis.taskIds) await this.readTask(taskId);
  }

  /** As Redis evicts: nothing that has no lifetime. */
  private async evict({ task, key, piece }: Command & { kind: 'evict' }): Promise<void> {
    const { client, names } = this.redis;
    const ref = { taskId: this.taskId(task), key: KEYS[key] as string };
    const evict = async (name: string) => void ((await client.pttl(name)) >= 0 && (await client.del(name)));
    switch (piece) {
      case 'control':
        await evict(names.control(ref.taskId));
        return this.model.evictControl(ref.taskId);
      case 'index':
        await evict(names.index(ref.taskId));
        return this.model.evictIndex(ref.taskId);
      case 'index entry':
        await client.zrem(names.index(ref.taskId), ref.key);
        return this.model.evictIndexEntry(ref.taskId, ref.key);
      case 'hash':
        await evict(names.attachment(ref));
        return this.model.evictHash(ref.taskId, ref.key);
    }
  }

  /** Brings what will end closer to its end, so that it shows which commands prolong what. */
  private async age(task: number): Promise<void> {
    const { client, names, nowMs } = this.redis;
    const taskId = this.taskId(task);
    const pieces = [
      names.control(taskId),
      names.index(taskId),
      ...KEYS.map((key) => names.attachment({ taskId, key })),
    ];
    for (const name of pieces) if ((await client.pttl(name)) > AGED_TTL_MS) await client.pexpire(name, AGED_TTL_MS);
    const snapshot = this.model.snapshot();
    snapshot.tasks.get(taskId)?.shorten(nowMs + AGED_TTL_MS);
    this.model.restore(snapshot);
  }

  private heed({ token }: CachedTask): void {
    this.givenFloor = token.floor;
    this.tokens.push(token);
  }

  private async token({ task, token }: Command & { kind: 'fill' }): Promise<FillToken> {
    const given = this.tokens.at(-1);
    if (token === 'given before' && given) return given;
    const { floor, generation } = await this.readTask(this.taskId(task));
    if (token === 'too high') return { floor: floor + 1, generation };
    return { floor, generation: token === 'of an ended generation' ? generation - 1 : generation };
  }

  private taskId(task: number): string {
    return this.redis.taskIds[task] as string;
  }

  private stamp(task: number, key: number, { near, by, repeatsOp }: StampChoice): WriteStamp {
    const { control } = this.model.dump(this.taskId(task));
    const standing = control?.records.get(KEYS[key] as string);
    const floor = control?.floor ?? versionAt(this.redis.nowMs);
    const above = { floor, standing: standing?.version ?? floor, newest: Math.max(standing?.version ?? 0, floor) };
    return { version: Math.max(above[near] + by, 2), op: repeatsOp && standing ? standing.op : this.newOp() };
  }

  private newOp(): string {
    return `00000000-0000-4000-8000-${String(++this.ops).padStart(12, '0')}`;
  }

  private attachment(task: number, { key, stamp, body, createdAt, expiry }: Row): Attachment {
    const createdAtMs = CREATION_TIMES_MS[createdAt] as number;
    return sampleAttachment({
      ...BODIES[body],
      ...this.stamp(task, key, stamp),
      taskId: this.taskId(task),
      key: KEYS[key] as string,
      id: `ta-${createdAt}-${this.ops}`,
      createdAtMs,
      updatedAtMs: createdAtMs + 1,
      expiresAtMs: EXPIRIES_MS[expiry],
    });
  }

  private deletion(task: number, { key, stamp }: Row) {
    const taskId = this.taskId(task);
    return { taskId, key: KEYS[key] as string, stamp: this.stamp(task, key, stamp), attachment: null };
  }

  private journaledPut(task: number, row: Row) {
    const attachment = this.attachment(task, row);
    return { put: { attachment, event: attachmentCreated(attachment, 'instance') } };
  }

  private journaledDeletion(task: number, row: Row) {
    const { taskId, key, stamp } = this.deletion(task, row);
    const event = attachmentDeleted({ taskId, key }, stamp, 'alice', this.redis.nowMs);
    return { deletion: { taskId, key, stamp, event } };
  }

  /** The model knows its only part by another number. */
  private async cursorsOfModel() {
    const cursors = await this.modelCache.cursors();
    return cursors.map((cursor) => ({ ...cursor, parts: this.redis.names.shards }));
  }
}

function tasksOf(names: RedisKeys, shard: number): string[] {
  const taskIds: string[] = [];
  for (let i = 0; taskIds.length < 2; i++) if (names.shardOf(`t-${i}`) === shard) taskIds.push(`t-${i}`);
  return taskIds;
}

function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (isSame(actual, expected)) return;
  const [redis, model] = [actual, expected].map((side) => inspect(side, { depth: null, sorted: true }));
  throw new Error(`${what}\nin Redis: ${redis}\nin the model: ${model}`);
}

/** A member that is undefined may as well be missing. Faster than Jest's, which this calls too often for. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  if (Array.isArray(a) !== Array.isArray(b) || (Array.isArray(a) && a.length !== (b as unknown[]).length)) return false;
  return (
    Object.keys(left).every((name) => isSame(left[name], right[name])) &&
    Object.keys(right).every((name) => right[name] === undefined || name in left)
  );
}
