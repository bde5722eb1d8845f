import { CACHE_TIMEOUT_MS } from '../domain/limits';
import { mintVersion, VERSIONS_PER_MS, type WriteStamp } from '../domain/version';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import { Deadline } from './deadline';

/** The first retry comes at once: whoever was in the way is done. Later ones make way for each other. */
const MAX_PAUSE_MS = 32;

/** A newer version stood in the way, or another change came between reading a task and writing it. */
export type Overtaken = { readonly state: 'superseded'; readonly version: number } | { readonly state: 'stale' };

/**
 * Offers a write under a new stamp until nothing newer stands in its way: a clock that is behind, or a write in the
 * same millisecond, makes the first version too low, and the refusal says how high the next one must be. Throws
 * `StoreError` when the time is over.
 */
export async function writeVersioned<Outcome extends { readonly state: string }>(
  clock: Clock,
  ids: IdSource,
  attempt: (stamp: WriteStamp, nowMs: number, deadline: Deadline) => Promise<Outcome | Overtaken>,
  { floor = 0, deadline = new Deadline(clock) } = {},
): Promise<Exclude<Outcome, Overtaken>> {
  for (let attempts = 0; ; attempts += 1) {
    const nowMs = clock.nowMs();
    const outcome = await attempt(mintStamp(ids, nowMs, floor), nowMs, deadline);
    if (!isOvertaken(outcome)) return outcome as Exclude<Outcome, Overtaken>;
    if (outcome.state === 'superseded') floor = outcome.version;
    if (attempts > 0) await clock.sleep(ids.randomInt(Math.min(2 ** attempts, MAX_PAUSE_MS)));
    // An attempt ends with a call of the cache.
    deadline.leftMs(CACHE_TIMEOUT_MS);
  }
}

export function mintStamp(ids: IdSource, nowMs: number, floor = 0): WriteStamp {
  return { version: mintVersion(nowMs, ids.randomInt(VERSIONS_PER_MS), floor), op: ids.op() };
}

function isOvertaken(outcome: { readonly state: string }): outcome is Overtaken {
  return outcome.state === 'superseded' || outcome.state === 'stale';
}
