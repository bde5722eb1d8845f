import type { Attachment } from '../domain/attachment';
import type { Caller } from '../domain/caller';
import { isAskedFor } from '../domain/list-order';
import type { AttachmentCache, CachedPage, KnownChange } from '../ports/attachment-cache';
import type { AttachmentListQuery } from '../ports/attachment-store';
import type { Metrics } from '../ports/metrics';
import type { AcknowledgedChanges } from './acknowledged-changes';
import type { AttachmentLookup } from './attachment-lookup';
import { isFiltered, pageOf, type AttachmentPage } from './attachment-page';
import type { Deadline } from './deadline';
import { unlessCacheIsDown } from './unless-cache-is-down';

/**
 * Of a larger task no filtered list is made without the store: the cache would be busy with it for more than a few
 * milliseconds.
 */
const MAX_FILTERED = 500;

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

  /**
   * The page while the store is unavailable; undefined if the cache does not know all of it. A page of another
   * generation than the given one was not held against the changes that were acknowledged here.
   */
  async pageWithoutStore(
    query: AttachmentListQuery,
    known: CachedPage,
    generation: number,
  ): Promise<AttachmentPage | undefined> {
    const cached = isFiltered(query) ? await this.readAll(query) : known;
    if (cached?.organization !== query.organization || cached.token.generation !== generation) return undefined;
    const attachments = knownOn(cached);
    if (!cached.page || !attachments || this.acknowledged.of(query).mayHaveForgotten(cached)) return undefined;
    const { totalCount } = cached.page;
    if (!isFiltered(query)) return pageOf(query, attachments, totalCount, true);
    return attachments.length === totalCount ? this.filtered(query, attachments) : undefined;
  }

  /** The outlines of the whole task, or of its first ones; undefined if the cache is unavailable. */
  private readAll(query: AttachmentListQuery): Promise<CachedPage | undefined> {
    const all = { ...query, type: undefined, keyPrefix: '', offset: 0, limit: MAX_FILTERED, includeBodies: false };
    return unlessCacheIsDown(this.read(all, this.acknowledged.of(query).uncheckedChanges(query.taskId)));
  }

  /** `outlines` are those of the whole task. */
  private async filtered(
    query: AttachmentListQuery,
    outlines: readonly Attachment[],
  ): Promise<AttachmentPage | undefined> {
    const matching = outlines.filter((outline) => isAskedFor(outline, query));
    const asked = matching.slice(query.offset, query.offset + query.limit);
    const shown = query.includeBodies ? await this.withBodies(asked, query) : asked;
    return shown && pageOf(query, shown, matching.length, true);
  }

  /** Undefined if the cache does not have all of them any more. */
  private async withBodies(
    outlines: readonly Attachment[],
    { organization, room }: AttachmentListQuery,
  ): Promise<readonly Attachment[] | undefined> {
    const found = await unlessCacheIsDown(this.cache.read(outlines, organization, room));
    const attachments = found?.flatMap(({ attachment }, i) =>
      attachment?.op === outlines[i]?.op ? (attachment ?? []) : [],
    );
    return attachments?.length === outlines.length ? attachments : undefined;
  }
}

/** Undefined if there is no page, or the cache has lost a part of it. */
function knownOn({ page }: CachedPage): readonly Attachment[] | undefined {
  const attachments = page?.entries.flatMap(({ attachment }) => attachment ?? []);
  return attachments?.length === page?.entries.length ? attachments : undefined;
}

/** Whether nothing older can come to the page later: a deletion that left no floor may be passed by a late put. */
function isHeld({ version, deleted }: KnownChange, { token }: CachedPage): boolean {
  return !deleted || version <= token.floor;
}
