import type { AttachmentRef } from '../domain/attachment';
import type { Caller } from '../domain/caller';
import { DomainError } from '../domain/domain-error';
import { exceeded, NO_ADDITION, QUOTA_KINDS, type Addition, type Quota, type Usage } from '../domain/quota';
import type { AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { Quotas } from '../ports/quotas';
import type { Room } from '../ports/room';
import { StoreError } from '../ports/store-error';
import type { TaskStore } from '../ports/task-store';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import { COUNT_TIMEOUT_MS, within, type OrganizationUse } from './organization-use';
import type { UsageByOrganization } from './usage-by-organization';

/** How long the first write of an organisation waits for the first count. */
const FIRST_COUNT_MS = 500;
const MAX_AGE_MS = 60_000;
/** The use is counted again when this replica has written such a part of what was left. */
const PART_OF_THE_REST = 1 / 10;
/** How often one call is judged: without a limit, calls that keep on replacing attachments would keep it busy. */
const MAX_JUDGEMENTS = 4;

/** An attachment that is about to be written; without a ref if nothing can be there. */
export interface PlannedAttachment {
  readonly ref?: AttachmentRef;
  readonly bytes: number;
}

/**
 * Refuses to write more attachments than the quota of an organisation allows. It knows the writes of this replica at
 * once and those of others from the next count on, so they may exceed a quota by what they write in between. If the
 * store cannot count, nothing is refused.
 */
export class QuotaKeeper {
  constructor(
    private readonly quotas: Quotas,
    private readonly usage: UsageByOrganization,
    private readonly tasks: TaskStore,
    private readonly attachments: AttachmentStore,
    private readonly clock: Clock,
  ) {}

  /**
   * Writes, unless the quota refuses it: then throws `DomainError`. `replacedBy` says how many attachments a write has
   * replaced, undefined if it has written none. Asks no store unless there is a quota, and the use is near it or not
   * known.
   */
  async run<Outcome>(
    planned: readonly PlannedAttachment[],
    { organization }: Caller,
    write: () => Promise<Outcome>,
    replacedBy: (outcome: Outcome) => number | undefined,
    room?: Room,
  ): Promise<Outcome> {
    const quota = this.quotas.of(organization);
    if (planned.length === 0 || QUOTA_KINDS.every((kind) => quota[kind] === undefined)) return write();
    const use = this.usage.of(organization);
    const added = additionOf(planned);
    if (!use.estimate) await this.countFirst(use, organization);
    const isFree = !use.estimate || !exceeded(quota, use.estimate, added);
    if (isFree && use.isCountDue && isOld(use, quota)) void this.count(use, organization);
    const end = isFree ? use.reserve(added) : await this.reserveNearLimit(use, organization, quota, planned, room);
    let replaced: number | undefined;
    try {
      const outcome = await write();
      replaced = replacedBy(outcome);
      return outcome;
    } finally {
      end(replaced === undefined ? NO_ADDITION : { ...added, attachments: added.attachments - replaced });
      if (replaced) use.shrunk();
    }
  }

  private async countFirst(use: OrganizationUse, organization: string): Promise<void> {
    const waitMs = FIRST_COUNT_MS - (use.isCounting ? use.beganAgoMs : 0);
    if (waitMs > 0 && (use.isCounting || use.isCountDue))
      await within(this.clock, waitMs, this.count(use, organization));
  }

  /**
   * Judged by what is there now: an overwrite adds only the difference of the bodies. The estimate may be too high, so
   * a call is refused for what was there for certain, and for the estimate only if there is no better knowledge in
   * time. Throws `DomainError`.
   */
  private async reserveNearLimit(
    use: OrganizationUse,
    organization: string,
    quota: Quota,
    planned: readonly PlannedAttachment[],
    room?: Room,
  ): Promise<(added: Addition) => void> {
    const { countsBegun } = use;
    const endsAtMs = this.clock.monotonicMs() + CACHE_TIMEOUT_MS;
    for (let judgement = 1; ; judgement++) {
      const added = await this.netAddition(planned, organization, room);
      const estimate = use.estimate as Addition;
      // Nothing may come between the judgement and the reservation.
      if (!added || !exceeded(quota, estimate, added)) return use.reserve(additionOf(planned));
      const least = use.leastSince(countsBegun);
      if (least) refuseIfExceeded(quota, least, added);
      const mayLearn = judgement < MAX_JUDGEMENTS && (await this.learn(use, organization, endsAtMs));
      if (!mayLearn) refuseIfExceeded(quota, estimate, added);
    }
  }

  /** Waits for the writes that are under way, and then for a count if it may tell more. False if there was none. */
  private async learn(use: OrganizationUse, organization: string, endsAtMs: number): Promise<boolean> {
    const leftMs = () => endsAtMs - this.clock.monotonicMs();
    await within(this.clock, leftMs(), use.writesEnded());
    if (use.isExact) return leftMs() > 0;
    const waitMs = use.isCounting ? Math.min(leftMs(), CACHE_TIMEOUT_MS - use.beganAgoMs) : leftMs();
    if (waitMs <= 0 || !(use.isCounting || use.mayCount)) return false;
    return (await within(this.clock, waitMs, this.count(use, organization))) !== undefined;
  }

  /** Undefined if the store cannot say, or if a task is missing: then the write itself is refused. */
  private async netAddition(
    planned: readonly PlannedAttachment[],
    organization: string,
    room?: Room,
  ): Promise<Addition | undefined> {
    const refs = planned.flatMap(({ ref }) => ref ?? []);
    if (refs.length === 0) return additionOf(planned);
    try {
      const found = await this.attachments.find(refs, organization, this.clock.nowMs(), CACHE_TIMEOUT_MS, room);
      if (refs.some(({ taskId }) => !found.tasks.has(taskId))) return undefined;
      const live = found.found.flatMap(({ attachment }) => attachment ?? []);
      const bytes = live.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
      const added = additionOf(planned);
      return { attachments: added.attachments - live.length, bytes: added.bytes - bytes };
    } catch (error) {
      if (error instanceof StoreError) return undefined;
      throw error;
    }
  }

  /** Joins a count that is under way. Undefined if it failed: the write will meet the same failure. */
  private count(use: OrganizationUse, organization: string): Promise<Usage | undefined> {
    const ask = () => this.tasks.usage(organization, this.clock.nowMs(), COUNT_TIMEOUT_MS);
    return use.count(ask).catch(() => undefined);
  }
}

function refuseIfExceeded(quota: Quota, use: Addition, added: Addition): void {
  const kind = exceeded(quota, use, added);
  if (kind)
    throw new DomainError({ kind: 'quota-exceeded', quota: kind, limit: quota[kind] as number, use: use[kind] });
}

function isOld(use: OrganizationUse, quota: Quota): boolean {
  const { estimate, uncounted, countedAgoMs } = use;
  if (countedAgoMs >= MAX_AGE_MS || !estimate) return true;
  return QUOTA_KINDS.some((kind) => {
    const limit = quota[kind];
    const left = limit === undefined ? Infinity : limit - estimate[kind] + uncounted[kind];
    return uncounted[kind] >= left * PART_OF_THE_REST;
  });
}

function additionOf(planned: readonly PlannedAttachment[]): Addition {
  return { attachments: planned.length, bytes: planned.reduce((sum, { bytes }) => sum + bytes, 0) };
}
