import { mintVersion, VERSIONS_PER_MS, type WriteStamp } from '../domain/version';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import { Deadline } from './deadline';

/** The first retry comes at once: the write that was in the way is done. Later retries make way for each other. */
const MAX_PAUSE_MS = 32;

/** The outcome of an attempt that has to be made again: something else was faster. */
export class Overtaken {
  /** `floor` is the version that stood in the way; undefined if a task was changed after it had been read. */
  constructor(readonly floor: number | undefined) {}
}

/**
 * Offers a write under a new stamp until nothing newer stands in its way: if the clock is behind, or another write
 * happens in the same millisecond, the first version is too low, and the refusal says how high the next one must be.
 * Throws `StoreError` when the time is over.
 */
export async function writeVersioned<Outcome>(
  clock: Clock,
  ids: IdSource,
  attempt: (stamp: WriteStamp, nowMs: number, deadline: Deadline) => Promise<Outcome | Overtaken>,
  { floor = 0, deadline = new Deadline(clock) } = {},
): Promise<Outcome> {
  for (let attempts = 0; ; attempts += 1) {
    const nowMs = clock.nowMs();
    const outcome = await attempt(mintStamp(ids, nowMs, floor), nowMs, deadline);
    if (!(outcome instanceof Overtaken)) return outcome;
    if (outcome.floor !== undefined) floor = outcome.floor;
    if (attempts > 0) await clock.sleep(ids.randomInt(Math.min(2 ** attempts, MAX_PAUSE_MS)));
    // An attempt ends with a call of the cache.
    deadline.leftMs(CACHE_TIMEOUT_MS);
  }
}

export function mintStamp(ids: IdSource, nowMs: number, floor = 0): WriteStamp {
  return { version: mintVersion(nowMs, ids.randomInt(VERSIONS_PER_MS), floor), op: ids.op() };
}
