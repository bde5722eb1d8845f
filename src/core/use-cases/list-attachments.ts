import type { Caller } from '../caller';
import type { Attachment, AttachmentType } from '../domain/attachment';
import { CACHE_TIMEOUT_MS } from '../domain/limits';
import { taskNotFound } from '../domain/task';
import type { AttachmentCache, CachedPage, KnownChange } from '../ports/attachment-cache';
import type { AttachmentListQuery, AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { Metrics } from '../ports/metrics';
import type { CorrectedList } from './corrected-list';
import { Deadline } from './deadline';
import type { IndexFiller } from './index-filler';
import type { ReplicaMemory } from './replica-memory';
import { isOutage, unlessCacheIsDown } from './store-outage';

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

const NOBODY_KNOWS: AttachmentPage = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

/** A page from the cache where it knows every attachment of the task, otherwise from the store. */
export class ListAttachments {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
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
    const session = this.memory.currentSession;
    const unchecked = this.memory.uncheckedChanges(taskId);
    const cached = await unlessCacheIsDown(this.readCache(query, unchecked));
    if (cached?.page) this.memory.learnChecked(taskId, cached.token.session, unchecked);
    // Also for a task of another organisation: answered from here, it would be told from a missing one by its speed.
    const known = cached?.organization === caller.organization ? cached : undefined;
    if (known?.deleted) throw taskNotFound(taskId);
    try {
      const page = known && this.memory.trusts(known) ? await this.pageFromCache(query, known, deadline) : undefined;
      return page ?? (await this.pageFromStore(query, cached, caller, deadline));
    } catch (error) {
      if (!isOutage(error)) throw error;
      // A page of another session was not held against what has been acknowledged here.
      const page = known?.token.session === session ? await this.pageWithoutStore(query, known) : undefined;
      return page ?? NOBODY_KNOWS;
    }
  }

  private readCache(query: AttachmentListQuery, known: readonly KnownChange[]): Promise<CachedPage> {
    const { taskId, organization, nowMs, limit, offset, descending, includeBodies } = query;
    // The cache's index knows neither types nor prefixes.
    const page = isFiltered(query) ? undefined : { limit, offset, descending, includeBodies, known };
    return this.cache.readPage({ taskId, organization, nowMs, page });
  }

  /** Undefined where the store must be asked for the whole page. */
  private async pageFromCache(
    query: AttachmentListQuery,
    cached: CachedPage,
    deadline: Deadline,
  ): Promise<AttachmentPage | undefined> {
    if (!cached.page) return undefined;
    const { entries, totalCount } = cached.page;
    const lost = entries.filter(({ attachment }) => !attachment);
    // What the cache lacks are bodies, which would be fetched for nothing.
    if (lost.length > 0 && !query.includeBodies) return undefined;
    const found = await this.findLost(query, cached, lost, deadline);
    if (found.length < lost.length) return undefined;

    const byKey = new Map(found.map((attachment) => [attachment.key, attachment]));
    const attachments = entries.map(({ key, attachment }) => attachment ?? (byKey.get(key) as Attachment));
    this.metrics.cacheHits(entries.length - lost.length);
    this.metrics.cacheMisses(lost.length);
    return pageOf(query, attachments, totalCount);
  }

  private async findLost(
    { taskId, organization, nowMs }: AttachmentListQuery,
    { token }: CachedPage,
    lost: readonly { key: string }[],
    deadline: Deadline,
  ): Promise<readonly Attachment[]> {
    if (lost.length === 0) return [];
    const refs = lost.map(({ key }) => ({ taskId, key }));
    const { found } = await this.store.find(refs, organization, nowMs, deadline.leftMs(CACHE_TIMEOUT_MS));
    const attachments = found.flatMap(({ attachment }) => attachment ?? []);
    const fill = { taskId, organization, token, attachments, withBodies: true, complete: false };
    await unlessCacheIsDown(this.cache.fill([fill]));
    return attachments;
  }

  private async pageFromStore(
    query: AttachmentListQuery,
    cached: CachedPage | undefined,
    caller: Caller,
    deadline: Deadline,
  ): Promise<AttachmentPage> {
    const corrected = await this.corrected.find(query, cached, caller, deadline);
    if (corrected) return pageOf(query, corrected.attachments, corrected.totalCount);

    const stored = await this.store.list(query, deadline.leftMs(CACHE_TIMEOUT_MS));
    if (!stored) throw taskNotFound(query.taskId);
    const { attachments, totalCount } = stored;
    this.metrics.cacheMisses(attachments.length);
    if (cached && !cached.page && !isFiltered(query)) await this.fill(query, cached, attachments, totalCount);
    return pageOf(query, attachments, totalCount);
  }

  /** Undefined where the cache does not know all of the page. */
  private async pageWithoutStore(query: AttachmentListQuery, cached: CachedPage): Promise<AttachmentPage | undefined> {
    if (!cached.page) return undefined;
    const { entries, totalCount } = cached.page;
    const refs = entries.flatMap(({ key, attachment }) => (attachment ? [] : [{ taskId: query.taskId, key }]));
    // An overwrite may have come between the index and the bodies.
    const again = refs.length > 0 ? await unlessCacheIsDown(this.cache.read(refs, query.organization)) : [];
    const found = new Map(again?.map(({ attachment }, i) => [refs[i]?.key, attachment]));
    const attachments = entries.flatMap(({ key, attachment }) => attachment ?? found.get(key) ?? []);
    if (attachments.length < entries.length) return undefined;
    return { ...pageOf(query, attachments, totalCount), degraded: true };
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

function pageOf(query: AttachmentListQuery, attachments: readonly Attachment[], totalCount: number): AttachmentPage {
  const shown = query.includeBodies ? attachments : attachments.map(withoutBody);
  return { attachments: shown, totalCount, hasMore: query.offset + attachments.length < totalCount };
}

function isFiltered({ type, keyPrefix }: AttachmentListQuery): boolean {
  return type !== undefined || keyPrefix !== '';
}

function withoutBody({ value: _value, content: _content, ...rest }: Attachment): Attachment {
  return rest;
}
