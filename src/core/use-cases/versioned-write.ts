import { OPERATION_TIMEOUT_MS } from '../domain/limits';
import { mintVersion, VERSIONS_PER_MS, type WriteStamp } from '../domain/version';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import { StoreError } from '../ports/store-error';

/** A newer version stood in the way, or another change came between reading a task and writing it. */
type Overtaken = { readonly state: 'superseded'; readonly version: number } | { readonly state: 'stale' };

/**
 * Offers a write under a new stamp until nothing newer stands in its way: a clock that is behind, or a write in the
 * same millisecond, makes the first version too low, and the refusal says how high the next one must be.
 */
export async function writeVersioned<Outcome extends { readonly state: string }>(
  clock: Clock,
  ids: IdSource,
  attempt: (stamp: WriteStamp, nowMs: number) => Promise<Outcome | Overtaken>,
): Promise<Exclude<Outcome, Overtaken>> {
  const giveUpAtMs = clock.nowMs() + OPERATION_TIMEOUT_MS;
  let floor = 0;
  for (let nowMs = clock.nowMs(); nowMs < giveUpAtMs; nowMs = clock.nowMs()) {
    const outcome = await attempt(mintStamp(ids, nowMs, floor), nowMs);
    if (!isOvertaken(outcome)) return outcome as Exclude<Outcome, Overtaken>;
    if (outcome.state === 'superseded') floor = outcome.version;
  }
  throw new StoreError('postgres', 'timeout');
}

export function mintStamp(ids: IdSource, nowMs: number, floor = 0): WriteStamp {
  return { version: mintVersion(nowMs, ids.randomInt(VERSIONS_PER_MS), floor), op: ids.op() };
}

function isOvertaken(outcome: { readonly state: string }): outcome is Overtaken {
  return outcome.state === 'superseded' || outcome.state === 'stale';
}
