import { versionAt } from '../../domain/version';
import type { Clock } from '../../ports/clock';
import type { ExpiredAttachmentStore } from '../../ports/expired-attachment-store';
import { HISTORY_RETENTION_MS, type Outbox } from '../../ports/outbox';

const BATCH_SIZE = 1000;

/** Forgets events and tombstones that are no longer needed. */
export class PurgeHistory {
  constructor(
    private readonly outbox: Outbox,
    private readonly store: ExpiredAttachmentStore,
    private readonly clock: Clock,
  ) {}

  /** Takes one step of each. */
  async execute(): Promise<{ more: boolean }> {
    const beforeMs = this.clock.nowMs() - HISTORY_RETENTION_MS;
    const events = await this.outbox.purge(beforeMs);
    const tombstones = await this.store.purgeTombstones(versionAt(beforeMs), BATCH_SIZE);
    return { more: events.more || tombstones === BATCH_SIZE };
  }
}
