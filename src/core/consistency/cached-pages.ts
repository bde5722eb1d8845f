import type { Caller } from '../domain/caller';
import type { AttachmentCache, CachedPage, KnownChange } from '../ports/attachment-cache';
import type { AttachmentListQuery } from '../ports/attachment-store';
import type { Metrics } from '../ports/metrics';
import type { AcknowledgedChanges } from './acknowledged-changes';
import type { AttachmentLookup } from './attachment-lookup';
import { isFiltered, pageOf, type AttachmentPage } from './attachment-page';
import type { Deadline } from './deadline';

/** For a filtered list the index of the cache is of no use, but what the cache says of the task is. */
const UNUSED_PAGE = { limit: 1, offset: 0, descending: false, includeBodies: false, known: [] };

/** Pages from the index of the cache. */
export class CachedPages {
  constructor(
    private readonly cache: AttachmentCache,
    private readonly lookup: AttachmentLookup,
    private readonly metrics: Metrics,
    private readonly acknowledged: AcknowledgedChanges,
  ) {}

  /** `known` are the changes that the page must have. Throws `StoreError`. */
  read(query: AttachmentListQuery, known: readonly KnownChange[]): Promise<CachedPage> {
    const { taskId, organization, nowMs, limit, offset, descending, includeBodies, room } = query;
    return this.cache.readPage({
      taskId,
      organization,
      nowMs,
      room,
      page: isFiltered(query) ? UNUSED_PAGE : { limit, offset, descending, includeBodies, known },
    });
  }

  /** A page that has the changes need not be held against them again. */
  learnHeld(query: AttachmentListQuery, cached: CachedPage, changes: readonly KnownChange[]): void {
    if (!cached.page || isFiltered(query)) return;
    const held = changes.filter((change) => isHeld(change, cached));
    this.acknowledged.of(query).learnChecked(query.taskId, cached.token.generation, held);
  }

  /** Undefined if the store must be asked for the whole page. */
  async page(
    query: AttachmentListQuery,
    { page }: CachedPage,
    caller: Caller,
    deadline: Deadline,
  ): Promise<AttachmentPage | undefined> {
    if (!page || isFiltered(query)) return undefined;
    const lost = page.entries.flatMap(({ key, attachment }) => (attachment ? [] : [{ taskId: query.taskId, key }]));
    // What the cache lacks are bodies, which would be fetched for nothing.
    if (lost.length > 0 && !query.includeBodies) return undefined;
    const found = lost.length > 0 ? await this.lookup.find(lost, caller, { deadline, room: query.room }) : [];
    const byKey = new Map(lost.map(({ key }, i) => [key, found[i]?.attachment]));
    const attachments = page.entries.flatMap(({ key, attachment }) => attachment ?? byKey.get(key) ?? []);
    if (attachments.length < page.entries.length) return undefined;

    this.metrics.cacheHits(attachments.length - lost.length);
    const degraded = found.some((one) => one.degraded) || undefined;
    return pageOf(query, attachments, page.totalCount, degraded);
  }
}

/** The page while the store is unavailable; undefined if the cache does not know all of it. */
export function pageWithoutStore(query: AttachmentListQuery, { page }: CachedPage): AttachmentPage | undefined {
  const attachments = page?.entries.flatMap(({ attachment }) => attachment ?? []);
  if (!page || isFiltered(query) || attachments?.length !== page.entries.length) return undefined;
  return pageOf(query, attachments, page.totalCount, true);
}

/** Whether nothing older can come to the page later: a deletion that left no floor may be passed by a late put. */
function isHeld({ version, deleted }: KnownChange, { token }: CachedPage): boolean {
  return !deleted || version <= token.floor;
}
