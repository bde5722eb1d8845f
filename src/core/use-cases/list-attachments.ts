import type { Caller } from '../caller';
import type { Attachment, AttachmentType } from '../domain/attachment';
import { taskNotFound } from '../domain/task';
import type { AttachmentCache, CachedPage } from '../ports/attachment-cache';
import type { AttachmentListQuery, AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { Metrics } from '../ports/metrics';
import { StoreError } from '../ports/store-error';
import { unlessCacheIsDown } from './cache-outage';
import type { IndexFiller } from './index-filler';

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
  /** Nobody who knows could answer: the page is empty whatever the task holds. */
  readonly degraded?: true;
}

const DEGRADED: AttachmentPage = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

/** A page from the cache where it knows every attachment of the task, otherwise from the store. */
export class ListAttachments {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly filler: IndexFiller,
  ) {}

  async execute(command: ListAttachmentsCommand, caller: Caller): Promise<AttachmentPage> {
    this.metrics.listQuery();
    const query = { ...command, organization: caller.organization, nowMs: this.clock.nowMs() };
    // The cache's index knows neither types nor prefixes.
    const filtered = command.type !== undefined || command.keyPrefix !== '';
    const cached = filtered ? undefined : await unlessCacheIsDown(this.cache.readPage(query));
    if (cached && isKnownDeleted(cached, caller)) throw taskNotFound(command.taskId);
    try {
      return (cached && (await this.pageFromCache(query, cached))) ?? (await this.pageFromStore(query, cached));
    } catch (error) {
      if (error instanceof StoreError && error.outcome === 'unavailable') return DEGRADED;
      throw error;
    }
  }

  /** Undefined where the store must be asked for the whole page. */
  private async pageFromCache(query: AttachmentListQuery, cached: CachedPage): Promise<AttachmentPage | undefined> {
    // Also for a task of another organisation: answered from here, it would be told from a missing one by its speed.
    if (!cached.page || cached.organization !== query.organization) return undefined;
    const { entries, totalCount } = cached.page;
    const lost = entries.filter(({ attachment }) => !attachment);
    // What the cache lacks are bodies, which would be fetched for nothing.
    if (lost.length > 0 && !query.includeBodies) return undefined;
    const found = await this.findLost(query, cached, lost);
    if (found.length < lost.length) return undefined;

    const byKey = new Map(found.map((attachment) => [attachment.key, attachment]));
    const attachments = entries.map(({ key, attachment }) => attachment ?? (byKey.get(key) as Attachment));
    this.metrics.cacheHits(entries.length - lost.length);
    this.metrics.cacheMisses(lost.length);
    return page(query, attachments, totalCount);
  }

  private async findLost(query: AttachmentListQuery, { token }: CachedPage, lost: readonly { key: string }[]) {
    if (lost.length === 0) return [];
    const { taskId, organization } = query;
    const refs = lost.map(({ key }) => ({ taskId, key }));
    const { attachments } = await this.store.find(refs, organization, query.nowMs);
    const fill = { taskId, organization, token, attachments, withBodies: true, complete: false };
    await unlessCacheIsDown(this.cache.fill([fill]));
    return attachments;
  }

  private async pageFromStore(query: AttachmentListQuery, cached: CachedPage | undefined): Promise<AttachmentPage> {
    const stored = await this.store.list(query);
    if (!stored) throw taskNotFound(query.taskId);
    const { attachments, totalCount } = stored;
    this.metrics.cacheMisses(attachments.length);
    if (cached && !cached.page) {
      const { taskId, organization, includeBodies: withBodies } = query;
      const complete = attachments.length === totalCount;
      const fill = { taskId, organization, token: cached.token, attachments, withBodies, complete };
      await unlessCacheIsDown(this.cache.fill([fill]));
      if (!complete) this.filler.start(taskId, organization);
    }
    return page(query, attachments, totalCount);
  }
}

function isKnownDeleted({ deleted, organization }: CachedPage, caller: Caller): boolean {
  return deleted && organization === caller.organization;
}

function page(query: AttachmentListQuery, attachments: readonly Attachment[], totalCount: number): AttachmentPage {
  const shown = query.includeBodies ? attachments : attachments.map(withoutBody);
  return { attachments: shown, totalCount, hasMore: query.offset + attachments.length < totalCount };
}

function withoutBody({ value: _value, content: _content, ...rest }: Attachment): Attachment {
  return rest;
}
