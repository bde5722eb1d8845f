import type { Caller } from '../caller';
import { isLive, type Attachment, type AttachmentRef } from '../domain/attachment';
import type { AttachmentCache, CachedAttachment, Fill } from '../ports/attachment-cache';
import type { AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { Metrics } from '../ports/metrics';
import { unlessCacheIsDown } from './cache-outage';

export interface FoundAttachment {
  readonly attachment?: Attachment;
  readonly taskExists: boolean;
}

const TASK_MISSING: FoundAttachment = { taskExists: false };

/**
 * Finds attachments by key: the cache first, in one read; what it cannot answer in one query to the store, whose
 * answer is then left in the cache. The answers stand in the order of the references.
 */
export class AttachmentLookup {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
  ) {}

  async find(refs: readonly AttachmentRef[], caller: Caller): Promise<readonly FoundAttachment[]> {
    const cached = await unlessCacheIsDown(this.cache.read(refs, caller.organization));
    const known = refs.map((_, i) => this.answerFrom(cached?.[i], caller));
    const missed = refs.filter((_, i) => !known[i]);
    this.metrics.cacheHits(known.filter((answer) => answer?.attachment).length);
    if (missed.length === 0) return known as readonly FoundAttachment[];

    this.metrics.cacheMisses(missed.length);
    const stored = await this.store.find(missed, caller.organization, this.clock.nowMs());
    if (cached) await this.fill(refs, cached, stored.attachments, caller);
    const byRef = new Map(stored.attachments.map((attachment) => [refName(attachment), attachment]));
    return refs.map(
      (ref, i) => known[i] ?? { attachment: byRef.get(refName(ref)), taskExists: stored.tasks.has(ref.taskId) },
    );
  }

  /** Undefined where the store must be asked. */
  private answerFrom(cached: CachedAttachment | undefined, caller: Caller): FoundAttachment | undefined {
    // Also for a task of another organisation: answered from here, it would be told from a missing one by its speed.
    if (cached?.organization !== caller.organization) return undefined;
    if (cached.deleted) return TASK_MISSING;
    const { attachment } = cached;
    return attachment && isLive(attachment, this.clock.nowMs()) ? { attachment, taskExists: true } : undefined;
  }

  private async fill(
    refs: readonly AttachmentRef[],
    cached: readonly CachedAttachment[],
    attachments: readonly Attachment[],
    { organization }: Caller,
  ): Promise<void> {
    const tokens = new Map(refs.map(({ taskId }, i) => [taskId, (cached[i] as CachedAttachment).token]));
    const fills = new Map<string, Fill & { attachments: Attachment[] }>();
    for (const attachment of attachments) {
      const { taskId } = attachment;
      const token = tokens.get(taskId) as number;
      const fill = fills.get(taskId) ?? {
        taskId,
        organization,
        token,
        attachments: [],
        withBodies: true,
        complete: false,
      };
      fill.attachments.push(attachment);
      fills.set(taskId, fill);
    }
    if (fills.size > 0) await unlessCacheIsDown(this.cache.fill([...fills.values()]));
  }
}

/** Unambiguous: a task id has no slash. */
function refName({ taskId, key }: AttachmentRef): string {
  return `${taskId}/${key}`;
}
