import type { ExpiredAttachment } from '../../domain/attachment';
import { expiryStamp } from '../../domain/version';
import type { AttachmentCache } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { ExpiredAttachmentStore } from '../../ports/expired-attachment-store';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';

const BATCH_SIZE = 500;

/**
 * Removes expired attachments, which no response shows any more, and has their expiry announced. All replicas may sweep
 * at the same time.
 */
export class SweepExpired {
  constructor(
    private readonly store: ExpiredAttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
  ) {}

  /** Takes one batch. */
  async execute(): Promise<{ more: boolean }> {
    const expired = await this.store.find(this.clock.nowMs(), BATCH_SIZE);
    if (expired.length === 0) return { more: false };
    const removed = await this.store.remove(expired);
    await Promise.all(removed.map((one) => this.tellCache(one)));
    return { more: expired.length === BATCH_SIZE };
  }

  private async tellCache(expired: ExpiredAttachment): Promise<void> {
    const { taskId, key } = expired;
    await unlessCacheIsDown(this.cache.apply({ taskId, key, stamp: expiryStamp(expired), attachment: null }));
  }
}
