import type { ExpiredAttachment } from '../../domain/attachment';
import { expiryStamp } from '../../domain/version';
import type { AttachmentCache } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { ExpiredAttachmentStore } from '../../ports/expired-attachment-store';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';
import { inParallel } from '../../consistency/in-parallel';

const BATCH_SIZE = 500;
const MAX_IN_FLIGHT = 8;

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
    await inParallel(expired, MAX_IN_FLIGHT, (one) => this.remove(one));
    return { more: expired.length === BATCH_SIZE };
  }

  private async remove(expired: ExpiredAttachment): Promise<void> {
    if (!(await this.store.remove(expired))) return;
    const { taskId, key } = expired;
    await unlessCacheIsDown(this.cache.apply({ taskId, key, stamp: expiryStamp(expired), attachment: null }));
  }
}
