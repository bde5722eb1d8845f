import { ReplyError } from 'ioredis';

const UNKNOWN = 'fitness unknown: whether the server keeps writes that only Redis holds cannot be seen';

/** Why the server will never take the commands of this client. Takes its reply to INFO. Undefined if it will. */
export function mismatchOf(info: string, isCluster: boolean): string | undefined {
  const [, mode] = /^redis_mode:(\w+)\r?$/m.exec(info) ?? [];
  if (mode === 'sentinel') return 'REDIS_URL leads to a Sentinel, not to the server that it watches.';
  if (mode === 'cluster' && !isCluster)
    return 'REDIS_URL leads to a node of Redis Cluster, and REDIS_CLUSTER is not true.';
  return undefined;
}

/** Takes the server's reply to INFO. Undefined if nothing is wrong. */
export function unfitnessOf(info: string, isCluster = false): string | undefined {
  const setting = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const mismatch = mismatchOf(info, isCluster);
  if (mismatch !== undefined) return mismatch;
  const policy = setting('maxmemory_policy');
  const evictsAnything = Number(setting('maxmemory')) > 0 && policy?.startsWith('allkeys-');
  const keepsWrites = setting('aof_enabled');
  const reasons = [
    ...(evictsAnything ? [`maxmemory-policy ${policy} may evict writes that only Redis holds.`] : []),
    ...(keepsWrites === '0' ? ['appendonly is off: a restart loses writes that only Redis holds.'] : []),
    ...(policy === undefined || keepsWrites === undefined ? [`${UNKNOWN}, as INFO does not tell its settings.`] : []),
  ];
  return reasons.length > 0 ? reasons.join(' ') : undefined;
}

/** Takes the error in place of the reply. Undefined if there was none: an outage is reported elsewhere. */
export function unknownFitness(error: unknown): string | undefined {
  if (!(error instanceof ReplyError)) return undefined;
  return `${UNKNOWN}, as INFO is refused (${(error as Error).message.split(' ')[0]}). The ACL of the user needs +info.`;
}

/** Takes how many shards of a cluster are unavailable. Undefined if none is, or if all are: that is an outage. */
export function incompletenessOf(unavailable: number, shards: number): string | undefined {
  if (unavailable === 0 || unavailable === shards) return undefined;
  return `${unavailable} of ${shards} shards of the cluster are unavailable, with the writes that only they hold.`;
}
