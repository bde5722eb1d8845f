import type { AttachmentJournal, JournalEntry } from '../ports/attachment-journal';
import type { AttachmentStore } from '../ports/attachment-store';
import { StoreError } from '../ports/store-error';
import { inParallel } from './in-parallel';

const MAX_PARTS_IN_FLIGHT = 8;

/** Has the store catch up on what the journal took while it was away. Every replica may drain at once. */
export class DrainJournal {
  constructor(
    private readonly journal: AttachmentJournal,
    private readonly store: AttachmentStore,
  ) {}

  /** Takes the oldest entries. */
  async execute(): Promise<{ more: boolean }> {
    const parts = await this.journal.oldest();
    await inParallel(parts, MAX_PARTS_IN_FLIGHT, async (entries) => {
      for (const entry of entries) await this.journal.settle(entry, await this.drain(entry));
    });
    return { more: parts.length > 0 };
  }

  private async drain({ write }: JournalEntry) {
    try {
      return await this.store.drain(write);
    } catch (error) {
      if (error instanceof StoreError && error.outcome === 'refused') return { state: 'refused' as const };
      throw error;
    }
  }
}
