import type { Redis } from 'ioredis';
import { StoreError } from '../../core/ports/store-error';
import { toStoreError } from './redis-error';
import type { RedisKeys } from './redis-keys';

/** Needs the rights that the scripts need, and changes nothing. */
const PROBE = "return redis.call('DEL', KEYS[1])";

/**
 * Throws `StoreError` if a server that replies to PING cannot be used all the same: the user may not run the scripts,
 * or not change the keys, or the cluster serves no slot. Any other error says nothing of this: a node of a cluster may
 * not have the key.
 */
export async function probeKeys(node: Redis, keys: RedisKeys): Promise<void> {
  try {
    await node.eval(PROBE, 1, keys.probe);
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith('NOPERM ')) throw new NoRightsError(message, keys.aclPattern);
    if (message.startsWith('CLUSTERDOWN The cluster is down')) throw toStoreError(error);
  }
}

class NoRightsError extends StoreError {
  constructor(reply: string, pattern: string) {
    const needs = `the ACL of the user needs ~${pattern} +@all -@dangerous +info`;
    super('redis', 'unavailable', { cause: new Error(`${reply}: ${needs}`) });
  }
}
