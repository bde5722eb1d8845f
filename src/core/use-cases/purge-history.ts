import { HISTORY_RETENTION_MS } from '../domain/limits';
import { versionAt } from '../domain/version';
import type { Clock } from '../ports/clock';
import type { ExpiredAttachmentStore } from '../ports/expired-attachment-store';
import type { Outbox } from '../ports/outbox';

const BATCH_SIZE = 1000;

/** Forgets events and tombstones that nobody can still need. */
export class PurgeHistory {
  constructor(
    private readonly outbox: Outbox,
    private readonly store: ExpiredAttachmentStore,
    private readonly clock: Clock,
  ) {}

  async execute(): Promise<void> {
    const beforeMs = this.clock.nowMs() - HISTORY_RETENTION_MS;
    await untilNothingIsLeft(() => this.outbox.purge(beforeMs, BATCH_SIZE));
    await untilNothingIsLeft(() => this.store.purgeTombstones(versionAt(beforeMs), BATCH_SIZE));
  }
}

async function untilNothingIsLeft(purge: () => Promise<number>): Promise<void> {
  while ((await purge()) === BATCH_SIZE);
}
