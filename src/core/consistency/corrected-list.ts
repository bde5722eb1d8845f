import type { Caller } from '../domain/caller';
import { isLive, outlineOf, type Attachment } from '../domain/attachment';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import { inListOrder, isAskedFor } from '../domain/list-order';
import { taskNotFound } from '../domain/task';
import type { AttachmentCache, CachedPage, JournaledChange, KnownChange } from '../ports/attachment-cache';
import type { AttachmentListQuery, AttachmentStore, StoredAttachment } from '../ports/attachment-store';
import { StoreError } from '../ports/store-error';
import type { AttachmentLookup, LookupBounds } from './attachment-lookup';
import type { Deadline } from './deadline';
import type { AcknowledgedChanges } from './acknowledged-changes';
import { unlessCacheIsDown } from './unless-cache-is-down';

export interface CorrectedPage {
  readonly attachments: readonly Attachment[];
  readonly totalCount: number;
  /** The store has become unavailable in between: the bodies are those of the cache. */
  readonly degraded?: true;
}

/**
 * Lists a task while the journal holds changes of it that the store may not have yet. The cost grows with the number of
 * attachments of the task, but it is paid only between an outage of the store and the end of the drain.
 */
export class CorrectedList {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly lookup: AttachmentLookup,
    private readonly acknowledged: AcknowledgedChanges,
  ) {}

  /**
   * One page; undefined if there is nothing to correct. Throws `StoreError` if the journal is unavailable, and a change
   * that only the journal has was acknowledged here.
   */
  async find(
    query: AttachmentListQuery,
    cached: CachedPage | undefined,
    caller: Caller,
    deadline: Deadline,
  ): Promise<CorrectedPage | undefined> {
    if (!this.mayBeIncomplete(query, cached)) return undefined;
    // The store is asked for very little first: while it is unavailable, the journal would be read in vain.
    await this.store.list({ ...query, limit: 1, includeBodies: false }, deadline.leftMs(CACHE_TIMEOUT_MS));
    const corrections = await this.corrections(query, cached);
    if (corrections.length === 0) return undefined;

    const { taskId, organization, nowMs } = query;
    const room = query.room?.unshown;
    const timeoutMs = deadline.leftMs(CACHE_TIMEOUT_MS);
    const stored = await this.store.outlines({ taskId, organization, nowMs, room }, timeoutMs);
    if (!stored) throw taskNotFound(taskId);
    const outlines = new Map(stored.map((outline) => [outline.key, outline]));
    const gone = new Map<string, number>();
    for (const { key, version, attachment } of await this.findAbsent(query, corrections, outlines, deadline)) {
      // A live one has come since the outlines were read, perhaps with the drain of this change.
      if (attachment) outlines.set(key, outlineOf(attachment));
      else gone.set(key, version);
    }
    for (const change of corrections) if (change.version > (gone.get(change.key) ?? 0)) correct(outlines, change);

    const isListed = (outline: Attachment) => isAskedFor(outline, query) && isLive(outline, query.nowMs);
    const matching = inListOrder([...outlines.values()].filter(isListed));
    if (query.descending) matching.reverse();
    const page = matching.slice(query.offset, query.offset + query.limit);
    if (!query.includeBodies) return { attachments: page, totalCount: matching.length };
    return { ...(await this.withBodies(page, caller, { deadline, room: query.room })), totalCount: matching.length };
  }

  private mayBeIncomplete(query: AttachmentListQuery, cached: CachedPage | undefined): boolean {
    if (cached) return cached.journaled?.length !== 0;
    return this.acknowledged.of(query).journaledChanges(query.taskId).length > 0;
  }

  /** The changes that are newer than everything the store is known to have. */
  private async corrections(
    query: AttachmentListQuery,
    cached: CachedPage | undefined,
  ): Promise<readonly (JournaledChange | KnownChange)[]> {
    // Noted before the journal is read: a change acknowledged later may be missing in the reply of the store.
    const changes = this.acknowledged.of(query);
    const inStore = changes.storedVersions(query.taskId);
    const journaled = cached && (await this.journaled(query));
    if (!journaled) return changes.journaledChanges(query.taskId);
    return journaled.filter(({ key, version }) => version > (inStore.get(key) ?? 0));
  }

  /** What the store has under changed keys that it does not list: it may have deleted them later. */
  private async findAbsent(
    { taskId, organization, nowMs, room }: AttachmentListQuery,
    changes: readonly { readonly key: string }[],
    listed: ReadonlyMap<string, Attachment>,
    deadline: Deadline,
  ): Promise<readonly StoredAttachment[]> {
    const refs = changes.flatMap(({ key }) => (listed.has(key) ? [] : [{ taskId, key }]));
    if (refs.length === 0) return [];
    const timeoutMs = deadline.leftMs(CACHE_TIMEOUT_MS);
    return (await this.store.find(refs, organization, nowMs, timeoutMs, room?.unshown)).found;
  }

  /** Undefined if the cache is unavailable. */
  private async journaled({ taskId, organization, nowMs, room }: AttachmentListQuery) {
    const request = { taskId, organization, nowMs, room: room?.unshown };
    return (await unlessCacheIsDown(this.cache.readPage(request)))?.journaled;
  }

  /** Without those that have been deleted in between. */
  private async withBodies(page: readonly Attachment[], caller: Caller, bounds: LookupBounds) {
    const found = page.length > 0 ? await this.lookup.find(page, caller, bounds) : [];
    const attachments = found.flatMap(({ attachment }) => attachment ?? []);
    return { attachments, degraded: found.some(({ degraded }) => degraded) || undefined };
  }
}

/** Throws if only the version is known of an attachment that should be shown. */
function correct(outlines: Map<string, Attachment>, change: JournaledChange | KnownChange): void {
  const { key, version } = change;
  if (version <= (outlines.get(key)?.version ?? 0)) return;
  const outline = 'attachment' in change ? change.attachment : change.deleted ? null : undefined;
  if (outline === undefined) throw new StoreError('redis', 'unavailable');
  if (outline) outlines.set(key, outline);
  else outlines.delete(key);
}
