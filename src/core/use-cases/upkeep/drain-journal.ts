import { refName } from '../../domain/attachment';
import type { AttachmentJournal } from '../../ports/attachment-journal';
import type { AttachmentStore } from '../../ports/attachment-store';
import { DrainBatch } from '../../consistency/drain-batch';
import { groupedBy } from '../../consistency/grouped-by';
import { inParallel } from '../../consistency/in-parallel';

const MAX_KEYS_IN_FLIGHT = 8;

/** Has the store catch up on what the journal took while it was away. Every replica may drain at once. */
export class DrainJournal {
  constructor(
    private readonly journal: AttachmentJournal,
    private readonly store: AttachmentStore,
  ) {}

  /**
   * Takes the oldest entries: those of one key one after the other, those of others meanwhile. What the store cannot
   * take for now, a locked task's, goes behind all others and holds up nobody; throws why. There is no `more` to be done
   * at once where another replica was faster: whoever drains the same entries at the same time only slows it down.
   */
  async execute(): Promise<{ more: boolean }> {
    const parts = await this.journal.oldest();
    const batch = new DrainBatch(this.store);
    let more = false;
    try {
      const keys = groupedBy(parts.flat(), ({ ref }) => refName(ref));
      await inParallel(keys, MAX_KEYS_IN_FLIGHT, (entries) => batch.drain(entries));
    } finally {
      // Without waiting for one answer before the next call: the journal takes them in this order all the same.
      const outcomes = parts.flatMap((entries) => batch.outcomesOf(entries));
      await inParallel(outcomes, outcomes.length, async ([entry, outcome]) => {
        if (await this.journal.settle(entry, outcome)) more = true;
      });
    }
    if (batch.postponedFor) throw batch.postponedFor;
    return { more };
  }
}
