import type { Attachment } from '../domain/attachment';
import type { Caller } from '../domain/caller';
import { taskNotFound } from '../domain/task';
import type { AttachmentCache, CachedPage } from '../ports/attachment-cache';
import type { AttachmentListQuery, AttachmentStore } from '../ports/attachment-store';
import type { Metrics } from '../ports/metrics';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import { isFiltered, pageOf, type AttachmentPage } from './attachment-page';
import type { CorrectedList } from './corrected-list';
import type { Deadline } from './deadline';
import type { IndexFiller } from './index-filler';
import { unlessCacheIsDown } from './unless-cache-is-down';

/** Pages from the store, corrected by the journal; what the cache did not know is left in the cache. */
export class StoredPages {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly corrected: CorrectedList,
    private readonly filler: IndexFiller,
    private readonly metrics: Metrics,
  ) {}

  /** `cached` is what the cache said before; undefined if it is unavailable. Throws `DomainError` and `StoreError`. */
  async page(
    query: AttachmentListQuery,
    cached: CachedPage | undefined,
    caller: Caller,
    deadline: Deadline,
  ): Promise<AttachmentPage> {
    const corrected = await this.corrected.find(query, cached, caller, deadline);
    if (corrected) {
      const { attachments, totalCount, degraded } = corrected;
      return pageOf(query, attachments, totalCount, degraded);
    }

    const stored = await this.store.list(query, deadline.leftMs(CACHE_TIMEOUT_MS));
    if (!stored) throw taskNotFound(query.taskId);
    const { attachments, totalCount } = stored;
    this.metrics.cacheMisses(attachments.length);
    if (cached && !cached.page && !isFiltered(query)) await this.fill(query, cached, attachments, totalCount);
    return pageOf(query, attachments, totalCount);
  }

  private async fill(
    { taskId, organization, includeBodies }: AttachmentListQuery,
    { token }: CachedPage,
    attachments: readonly Attachment[],
    totalCount: number,
  ): Promise<void> {
    const complete = attachments.length === totalCount;
    const fill = { taskId, organization, token, attachments, withBodies: includeBodies, complete };
    await unlessCacheIsDown(this.cache.fill([fill]));
    if (!complete) this.filler.start(taskId, organization);
  }
}
