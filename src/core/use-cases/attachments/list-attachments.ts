import type { Caller } from '../../domain/caller';
import { outlineOf, type Attachment, type AttachmentType } from '../../domain/attachment';
import { CACHE_TIMEOUT_MS } from '../../domain/limits';
import { taskNotFound } from '../../domain/task';
import type { AttachmentCache, CachedPage, KnownChange } from '../../ports/attachment-cache';
import type { AttachmentListQuery, AttachmentStore } from '../../ports/attachment-store';
import type { Clock } from '../../ports/clock';
import type { Metrics } from '../../ports/metrics';
import type { AttachmentLookup } from '../../consistency/attachment-lookup';
import type { CorrectedList } from '../../consistency/corrected-list';
import { Deadline } from '../../consistency/deadline';
import type { IndexFiller } from '../../consistency/index-filler';
import type { ReplicaMemory } from '../../consistency/replica-memory';
import { isOutage, unlessCacheIsDown } from '../../consistency/store-outage';

export interface ListAttachmentsCommand {
  readonly taskId: string;
  readonly type?: AttachmentType;
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
  readonly descending: boolean;
  readonly includeBodies: boolean;
}

export interface AttachmentPage {
  readonly attachments: readonly Attachment[];
  readonly totalCount: number;
  readonly hasMore: boolean;
  /** The store should have been asked, and could not be; where the cache does not know either, the page is empty. */
  readonly degraded?: true;
}

/** The cache's index knows neither types nor prefixes: of it, only what it says of the task is of use. */
const UNUSED_PAGE = { limit: 1, offset: 0, descending: false, includeBodies: false, known: [] };

const NOBODY_KNOWS: AttachmentPage = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

/** A page from the cache where it knows every attachment of the task, otherwise from the store. */
export class ListAttachments {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly lookup: AttachmentLookup,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly filler: IndexFiller,
    private readonly corrected: CorrectedList,
    private readonly memory: ReplicaMemory,
  ) {}

  async execute(command: ListAttachmentsCommand, caller: Caller): Promise<AttachmentPage> {
    this.metrics.listQuery();
    const { taskId } = command;
    if (this.memory.isDeleted(taskId)) throw taskNotFound(taskId);
    const deadline = new Deadline(this.clock);
    const query = { ...command, organization: caller.organization, nowMs: this.clock.nowMs() };
    const generation = this.memory.currentGeneration;
    const unchecked = this.memory.uncheckedChanges(taskId);
    const cached = await unlessCacheIsDown(this.readCache(query, unchecked));
    if (cached?.page && !isFiltered(command)) {
      this.memory.learnChecked(
        taskId,
        cached.token.generation,
        unchecked.filter((change) => isHeld(change, cached)),
      );
    }
    // Also for a task of another organisation: answered from here, it would be told from a missing one by its speed.
    const known = cached?.organization === caller.organization ? cached : undefined;
    if (known?.deleted) throw taskNotFound(taskId);
    try {
      const page =
        known && this.memory.trusts(known) ? await this.pageFromCache(query, known, caller, deadline) : undefined;
      return page ?? (await this.pageFromStore(query, cached, caller, deadline));
    } catch (error) {
      if (!isOutage(error)) throw error;
      // A page of another generation was not held against what has been acknowledged here; one that the store has been
      // asked about, and only the journal not, is older than what the store said.
      const isComparable = error.store === 'postgres' && known?.token.generation === generation;
      const page = isComparable ? pageWithoutStore(query, known) : undefined;
      return page ?? NOBODY_KNOWS;
    }
  }

  private readCache(query: AttachmentListQuery, known: readonly KnownChange[]): Promise<CachedPage> {
    const { taskId, organization, nowMs, limit, offset, descending, includeBodies } = query;
    return this.cache.readPage({
      taskId,
      organization,
      nowMs,
      page: isFiltered(query) ? UNUSED_PAGE : { limit, offset, descending, includeBodies, known },
    });
  }

  /** Undefined where the store must be asked for the whole page. */
  private async pageFromCache(
    query: AttachmentListQuery,
    { page }: CachedPage,
    caller: Caller,
    deadline: Deadline,
  ): Promise<AttachmentPage | undefined> {
    if (!page || isFiltered(query)) return undefined;
    const lost = page.entries.flatMap(({ key, attachment }) => (attachment ? [] : [{ taskId: query.taskId, key }]));
    // What the cache lacks are bodies, which would be fetched for nothing.
    if (lost.length > 0 && !query.includeBodies) return undefined;
    const found = lost.length > 0 ? await this.lookup.find(lost, caller, deadline) : [];
    const byKey = new Map(lost.map(({ key }, i) => [key, found[i]?.attachment]));
    const attachments = page.entries.flatMap(({ key, attachment }) => attachment ?? byKey.get(key) ?? []);
    if (attachments.length < page.entries.length) return undefined;

    this.metrics.cacheHits(attachments.length - lost.length);
    const degraded = found.some((one) => one.degraded) || undefined;
    return { ...pageOf(query, attachments, page.totalCount), degraded };
  }

  private async pageFromStore(
    query: AttachmentListQuery,
    cached: CachedPage | undefined,
    caller: Caller,
    deadline: Deadline,
  ): Promise<AttachmentPage> {
    const corrected = await this.corrected.find(query, cached, caller, deadline);
    if (corrected) {
      const { attachments, totalCount, degraded } = corrected;
      return { ...pageOf(query, attachments, totalCount), degraded };
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

/** Undefined where the cache does not know all of the page. */
function pageWithoutStore(query: AttachmentListQuery, { page }: CachedPage): AttachmentPage | undefined {
  const attachments = page?.entries.flatMap(({ attachment }) => attachment ?? []);
  if (!page || isFiltered(query) || attachments?.length !== page.entries.length) return undefined;
  return { ...pageOf(query, attachments, page.totalCount), degraded: true };
}

function pageOf(query: AttachmentListQuery, attachments: readonly Attachment[], totalCount: number): AttachmentPage {
  const shown = query.includeBodies ? attachments : attachments.map(outlineOf);
  return { attachments: shown, totalCount, hasMore: query.offset + attachments.length < totalCount };
}

/** Whether nothing older can come to the page later: a deletion that left no floor may be passed by a late put. */
function isHeld({ version, deleted }: KnownChange, { token }: CachedPage): boolean {
  return !deleted || version <= token.floor;
}

function isFiltered({ type, keyPrefix }: Pick<AttachmentListQuery, 'type' | 'keyPrefix'>): boolean {
  return type !== undefined || keyPrefix !== '';
}
