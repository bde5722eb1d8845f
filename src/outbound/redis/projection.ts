import type { CacheOwner, ProjectionCursor } from '../../core/ports/attachment-cache';
import type { OutboxChange } from '../../core/ports/outbox';
import type { OwnerReply } from './cache-scripts';
import type { RedisKeys } from './redis-keys';

/** How many changes one script takes. Redis serves no other command while a script runs. */
const CHUNK = 1000;

/** The keys and arguments for one call of the script. */
export interface Projection {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Shards whose replies are the same have one cursor. */
export function cursorsOf(
  shards: readonly { readonly shard: number; readonly reply: OwnerReply }[],
  generation: number,
): ProjectionCursor[] {
  const alike = new Map<string, { reply: OwnerReply; parts: number[] }>();
  for (const { shard, reply } of shards) {
    const name = JSON.stringify([positionOf(reply), ...reply.slice(1)]);
    const group = alike.get(name);
    if (group) group.parts.push(shard);
    else alike.set(name, { reply, parts: [shard] });
  }
  return [...alike.values()].map(({ reply, parts }) => {
    const owner = ownerOf(reply);
    return { position: positionOf(reply), generation, parts, ...(owner && { owner }) };
  });
}

function positionOf([position]: OwnerReply): number | undefined {
  return position !== null && /^\d+$/.test(position) ? safeInteger(position) : undefined;
}

function ownerOf([, databaseId, epoch, isFamiliar]: OwnerReply): CacheOwner | undefined {
  if (databaseId === null || epoch === null) return undefined;
  return { databaseId, epoch, isFamiliar: isFamiliar === '1' };
}

/**
 * For each part of the cursor, the calls that project the changes there. They run one after the other, and the last one
 * moves the cursor. A part that is left half-way has forgotten more than necessary, but never too little.
 */
export function projections(
  { position, parts }: ProjectionCursor,
  changes: readonly OutboxChange[],
  to: number,
  keys: RedisKeys,
  epoch: string,
): Projection[][] {
  const byShard = new Map(parts.map((shard) => [shard, [] as OutboxChange[]]));
  for (const change of changes) byShard.get(keys.shardOf(change.taskId))?.push(change);
  return [...byShard].map(([shard, ofShard]) =>
    chunksOf(ofShard).map((chunk, i, chunks) => {
      const taskIds = [...new Set(chunk.map(({ taskId }) => taskId))];
      const numbers = new Map(taskIds.map((taskId, at) => [taskId, at + 1]));
      const rows = chunk.flatMap((change) => [numbers.get(change.taskId) as number, ...argumentsOf(change)]);
      return {
        keys: [keys.owner(shard), keys.cursor(shard), ...taskIds.flatMap((taskId) => keys.ofTask(taskId))],
        args: [epoch, position ?? '', i + 1 === chunks.length ? to : '', ...rows],
      };
    }),
  );
}

/** Returns at least one chunk. */
function chunksOf(changes: readonly OutboxChange[]): (readonly OutboxChange[])[] {
  const count = Math.max(Math.ceil(changes.length / CHUNK), 1);
  return Array.from({ length: count }, (_, i) => changes.slice(i * CHUNK, (i + 1) * CHUNK));
}

function argumentsOf(change: OutboxChange): (string | number)[] {
  if (change.kind === 'task-deleted') return [change.version, '', '', 1];
  return [change.version, change.key, change.op, change.deleted ? 1 : 0];
}

/** Undefined if the number would not be exact. */
function safeInteger(digits: string): number | undefined {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : undefined;
}
