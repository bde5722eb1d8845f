import type { Cluster, Redis } from 'ioredis';
import { toHash } from '../../../src/outbound/redis/attachment-hash';
import { toText } from '../../../src/outbound/redis/journal-entry';
import type { RedisKeys } from '../../../src/outbound/redis/redis-keys';
import type { CacheModel, JournalItem } from './cache-model';
import type { TaskState } from './task-state';

type Fields = Readonly<Record<string, string>>;

interface TaskContents {
  readonly control: Fields;
  readonly index: Fields;
  readonly hashes: Readonly<Record<string, Fields>>;
  /** In minutes, begun ones included; -1: for ever, -2: not there. */
  readonly lifetimes: readonly number[];
}

/** What stands under the names of one shard and of some of its tasks, to the letter. */
export interface RedisContents {
  readonly tasks: readonly TaskContents[];
  readonly journal: readonly string[];
  readonly deadLetters: readonly string[];
  readonly cursor: string | null;
}

export interface ContentNames {
  readonly shard: number;
  readonly taskIds: readonly string[];
  /** Of attachments. */
  readonly keys: readonly string[];
}

export function namesOf(names: RedisKeys, { shard, taskIds, keys }: ContentNames): string[] {
  const ofTasks = taskIds.flatMap((taskId) => taskNames(names, taskId, keys));
  return [names.owner(shard), names.journal(shard), names.deadLetters(shard), names.cursor(shard), ...ofTasks];
}

export async function contentsOfRedis(
  client: Redis | Cluster,
  names: RedisKeys,
  { shard, taskIds, keys }: ContentNames,
): Promise<RedisContents> {
  const pipeline = client.pipeline();
  pipeline.lrange(names.journal(shard), 0, -1).lrange(names.deadLetters(shard), 0, -1).get(names.cursor(shard));
  for (const taskId of taskIds) {
    pipeline.hgetall(names.control(taskId)).zrange(names.index(taskId), 0, -1, 'WITHSCORES');
    for (const key of keys) pipeline.hgetall(names.attachment({ taskId, key }));
    for (const name of taskNames(names, taskId, keys)) pipeline.pttl(name);
  }
  const replies = (await pipeline.exec()) ?? [];
  const next = <T>(): T => {
    const [error, reply] = replies.shift() ?? [new Error('a reply is missing')];
    if (error) throw error;
    return reply as T;
  };
  return {
    journal: next<string[]>(),
    deadLetters: next<string[]>(),
    cursor: next<string | null>(),
    tasks: taskIds.map(() => ({
      control: { c: '0', n: '0', ...next<Fields>() },
      index: pairs(next<string[]>()),
      hashes: Object.fromEntries(keys.map((key) => [key, next<Fields>()])),
      lifetimes: [0, 1, ...keys].map(() => minutes(next<number>())),
    })),
  };
}

/** What Redis would hold if its scripts did what the model does. */
export function contentsOfModel(model: CacheModel, { taskIds, keys }: ContentNames, nowMs: number): RedisContents {
  return {
    journal: model.journal.map(entryText),
    deadLetters: model.deadLetters.map((one) => `${one.reason} ${entryText(one)}`),
    cursor: model.cursor === undefined ? null : String(model.cursor),
    tasks: taskIds.map((taskId) => taskContents(model.dump(taskId), keys, nowMs)),
  };
}

function taskNames(names: RedisKeys, taskId: string, keys: readonly string[]): string[] {
  return [names.control(taskId), names.index(taskId), ...keys.map((key) => names.attachment({ taskId, key }))];
}

function taskContents(task: TaskState, keys: readonly string[], nowMs: number): TaskContents {
  const hashes = keys.map((key) => task.hashes.get(key));
  return {
    control: controlFields(task),
    index: Object.fromEntries([...(task.index?.scores ?? [])].map(([key, score]) => [key, String(score)])),
    hashes: Object.fromEntries(keys.map((key, i) => [key, hashes[i] ? toHash(hashes[i].attachment) : {}])),
    lifetimes: [task.control, task.index, ...hashes].map((piece) => {
      if (!piece) return -2;
      return piece.endsAtMs === Infinity ? -1 : minutes(piece.endsAtMs - nowMs);
    }),
  };
}

function controlFields(task: TaskState): Fields {
  const { control } = task;
  if (!control) return { c: '0', n: '0' };
  const { floor, complete, organization, undrained, deletedVersion, earliestExpiryMs, records, overtaken, spentToken } =
    control;
  const fields = {
    e: control.epoch,
    f: floor,
    m: task.liveCount(),
    c: complete ? 1 : 0,
    n: undrained,
    o: organization,
    u: control.carried ? 1 : undefined,
  };
  const known = Object.entries({ ...fields, d: deletedVersion, x: earliestExpiryMs, t: spentToken }).filter(
    ([, value]) => value !== undefined,
  );
  const texts = [...records].map(([key, { version, op, mark, live, expiresAtMs }]) => [
    `r:${key}`,
    `${version} ${op} ${mark} ${live ? 'live' : 'deleted'} ${expiresAtMs ?? 0}`,
  ]);
  const ops = [...overtaken].map(([key, op]) => [`w:${key}`, op]);
  return Object.fromEntries([...known.map(([field, value]) => [field, String(value)]), ...texts, ...ops]) as Fields;
}

function entryText({ op, replacedId, write }: JournalItem): string {
  return `${op} ${replacedId ?? '-'} ${toText(write)}`;
}

function pairs(flat: readonly string[]): Fields {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] as string] = flat[i + 1] as string;
  return fields;
}

function minutes(ms: number): number {
  return ms < 0 ? ms : Math.ceil(ms / 60_000);
}
