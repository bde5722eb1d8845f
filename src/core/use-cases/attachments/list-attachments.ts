import type { AttachmentType } from '../../domain/attachment';
import type { Caller } from '../../domain/caller';
import { taskNotFound } from '../../domain/task';
import type { Clock } from '../../ports/clock';
import type { Room } from '../../ports/room';
import type { Metrics } from '../../ports/metrics';
import { isOutage } from '../../ports/store-error';
import type { AcknowledgedChanges } from '../../consistency/acknowledged-changes';
import type { AttachmentPage } from '../../consistency/attachment-page';
import type { CacheTrust } from '../../consistency/cache-trust';
import type { CachedPages } from '../../consistency/cached-pages';
import { Deadline } from '../../consistency/deadline';
import type { StoredPages } from '../../consistency/stored-pages';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';

export interface ListAttachmentsCommand {
  readonly taskId: string;
  readonly type?: AttachmentType;
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
  readonly descending: boolean;
  readonly includeBodies: boolean;
}

const UNKNOWN_PAGE: AttachmentPage = { attachments: [], totalCount: 0, hasMore: false, degraded: true };

/** A page from the cache if the cache knows every attachment of the task, otherwise from the store. */
export class ListAttachments {
  constructor(
    private readonly cachedPages: CachedPages,
    private readonly storedPages: StoredPages,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly trust: CacheTrust,
    private readonly acknowledged: AcknowledgedChanges,
  ) {}

  async execute(command: ListAttachmentsCommand, caller: Caller, room?: Room): Promise<AttachmentPage> {
    this.metrics.listQuery();
    const { taskId, type, keyPrefix, limit, offset, descending, includeBodies } = command;
    const changes = this.acknowledged.of(caller);
    if (changes.isDeleted(taskId)) throw taskNotFound(taskId);
    const deadline = new Deadline(this.clock);
    const { organization } = caller;
    const nowMs = this.clock.nowMs();
    const query = { taskId, organization, type, keyPrefix, limit, offset, descending, includeBodies, nowMs, room };
    const { generation } = this.trust;
    const unchecked = changes.uncheckedChanges(taskId);
    const cached = await unlessCacheIsDown(this.cachedPages.read(query, unchecked));
    if (cached) this.cachedPages.learnHeld(query, cached, unchecked);
    // The store is asked for a task of another organisation, too: a reply from here would tell it from a missing task
    // by its speed.
    const known = cached?.organization === caller.organization ? cached : undefined;
    if (known?.deleted) throw taskNotFound(taskId);
    try {
      const page =
        known && changes.accepts(known) ? await this.cachedPages.page(query, known, caller, deadline) : undefined;
      const found = page ?? (await this.storedPages.page(query, cached, caller, deadline));
      room?.countRows(found.attachments.length);
      return found;
    } catch (error) {
      if (!isOutage(error)) throw error;
      // If only the journal is unavailable, what the cache knows is older than what the store has just said.
      const isStoreAway = error.store === 'postgres';
      const page = isStoreAway && known ? await this.cachedPages.pageWithoutStore(query, known, generation) : undefined;
      return page ?? UNKNOWN_PAGE;
    }
  }
}
