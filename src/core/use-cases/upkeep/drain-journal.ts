import { refName } from '../../domain/attachment';
import type { AttachmentJournal } from '../../ports/attachment-journal';
import type { AttachmentStore } from '../../ports/attachment-store';
import { DrainBatch } from '../../consistency/drain-batch';
import { groupedBy } from '../../consistency/grouped-by';
import { inParallel } from '../../consistency/in-parallel';
import { JournalBacklog } from '../../consistency/journal-backlog';

const MAX_KEYS_IN_FLIGHT = 8;

/**
 * Writes to the store what the journal took while the store was unavailable. All replicas may drain at the same time.
 */
export class DrainJournal {
  constructor(
    private readonly journal: AttachmentJournal,
    private readonly store: AttachmentStore,
    private readonly backlog = new JournalBacklog(),
  ) {}

  /**
   * Takes the oldest entries: those of one key one after the other, several keys at once. An entry that the store
   * cannot take for now, because its task is locked, goes behind all others and delays none of them; then the reason is
   * thrown. `more` is false if another replica was faster: to drain the same entries at the same time would only slow
   * it down.
   */
  async execute(): Promise<{ more: boolean }> {
    const parts = await this.backlog.learnFrom(this.journal.oldest());
    const batch = new DrainBatch(this.store);
    let more = false;
    try {
      const keys = groupedBy(parts.flat(), ({ ref }) => refName(ref));
      await inParallel(keys, MAX_KEYS_IN_FLIGHT, (entries) => batch.drain(entries));
    } finally {
      // No call waits for the reply to the one before: the journal takes them in this order all the same.
      const outcomes = parts.flatMap((entries) => batch.outcomesOf(entries));
      await inParallel(outcomes, outcomes.length, async ([entry, outcome]) => {
        if (await this.journal.settle(entry, outcome)) more = true;
      });
    }
    if (batch.postponedFor) throw batch.postponedFor;
    return { more };
  }
}
