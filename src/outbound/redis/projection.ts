import type { ProjectionCursor } from '../../core/ports/attachment-cache';
import type { OutboxChange } from '../../core/ports/outbox';
import type { RedisKeys } from './redis-keys';

/** What the script takes for one shard. */
export interface Projection {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** `position` as it stands in Redis. */
export function cursorsOf(
  shards: readonly { readonly shard: number; readonly position?: string }[],
  session: number,
): ProjectionCursor[] {
  const byPosition = new Map<number | undefined, number[]>();
  for (const { shard, position } of shards) {
    const known = position !== undefined && /^\d{1,16}$/.test(position) ? Number(position) : undefined;
    const parts = byPosition.get(known);
    if (parts) parts.push(shard);
    else byPosition.set(known, [shard]);
  }
  return [...byPosition].map(([position, parts]) => ({ position, session, parts }));
}

/** One for each part of the cursor, with the changes of its tasks. */
export function projections(
  { position, parts }: ProjectionCursor,
  changes: readonly OutboxChange[],
  to: number,
  keys: RedisKeys,
): Projection[] {
  const byShard = new Map(parts.map((shard) => [shard, [] as OutboxChange[]]));
  for (const change of changes) byShard.get(keys.shardOf(change.taskId))?.push(change);
  return [...byShard].map(([shard, ofShard]) => {
    const taskIds = [...new Set(ofShard.map(({ taskId }) => taskId))];
    const numbers = new Map(taskIds.map((taskId, i) => [taskId, i + 1]));
    return {
      keys: [keys.cursor(shard), ...taskIds.flatMap((taskId) => keys.ofTask(taskId))],
      args: [
        position ?? '',
        to,
        ...ofShard.flatMap((change) => [numbers.get(change.taskId) as number, ...argumentsOf(change)]),
      ],
    };
  });
}

function argumentsOf(change: OutboxChange): (string | number)[] {
  if (change.kind === 'task-deleted') return [change.version, '', '', 1];
  return [change.version, change.key, change.op, change.deleted ? 1 : 0];
}
