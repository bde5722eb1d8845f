import { refName } from '../domain/attachment';
import type { AttachmentJournal, JournalEntry } from '../ports/attachment-journal';
import type { AttachmentStore, DrainOutcome } from '../ports/attachment-store';
import { StoreError } from '../ports/store-error';
import { groupedBy } from './grouped-by';
import { inParallel } from './in-parallel';

const MAX_KEYS_IN_FLIGHT = 8;

type Outcome = DrainOutcome | { readonly state: 'refused' };

/** Has the store catch up on what the journal took while it was away. Every replica may drain at once. */
export class DrainJournal {
  constructor(
    private readonly journal: AttachmentJournal,
    private readonly store: AttachmentStore,
  ) {}

  /** Takes the oldest entries: those of one key one after the other, those of others meanwhile. */
  async execute(): Promise<{ more: boolean }> {
    const parts = await this.journal.oldest();
    const outcomes = new Map<JournalEntry, Outcome>();
    try {
      await inParallel(
        groupedBy(parts.flat(), ({ ref }) => refName(ref)),
        MAX_KEYS_IN_FLIGHT,
        async (entries) => {
          for (const entry of entries) outcomes.set(entry, await this.drain(entry));
        },
      );
    } finally {
      await inParallel(parts, parts.length, (entries) => this.settle(entries, outcomes));
    }
    return { more: parts.length > 0 };
  }

  private async drain({ write }: JournalEntry): Promise<Outcome> {
    try {
      return await this.store.drain(write);
    } catch (error) {
      if (error instanceof StoreError && error.outcome === 'refused') return { state: 'refused' };
      throw error;
    }
  }

  /** Up to the first that has not been drained: entries leave the journal in its order. */
  private async settle(entries: readonly JournalEntry[], outcomes: ReadonlyMap<JournalEntry, Outcome>): Promise<void> {
    for (const entry of entries) {
      const outcome = outcomes.get(entry);
      if (!outcome) return;
      await this.journal.settle(entry, outcome);
    }
  }
}
