import type { AttachmentRef } from '../domain/attachment';
import type { JournalEntry, SettleOutcome } from '../ports/attachment-journal';
import type { AttachmentStore } from '../ports/attachment-store';
import { StoreError } from '../ports/store-error';

const POSTPONED: SettleOutcome = { state: 'postponed' };

/** What has come of the entries of one drain. */
export class DrainBatch {
  /** Why the first of the postponed entries has to wait. */
  postponedFor?: StoreError;
  private readonly outcomes = new Map<JournalEntry, SettleOutcome>();
  /** Any other write to them would wait as long. */
  private readonly slowTasks = new Set<string>();
  private hasAnswer = false;

  constructor(private readonly store: AttachmentStore) {}

  /** Takes the entries of one key, in their order: what follows a postponed entry waits behind it. */
  async drain(entries: readonly JournalEntry[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      if (this.slowTasks.has(entry.ref.taskId)) return this.postpone(entries.slice(i));
      try {
        this.answered(entry, await this.store.drain(entry.write));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.outcome !== 'refused') return this.postponeFor(error, entry.ref, entries.slice(i));
        this.answered(entry, { state: 'refused' });
      }
    }
  }

  /**
   * Up to the first entry without an outcome: entries leave the journal at its head. If the store has not replied to
   * any entry, its silence is the fault of none, and nothing is postponed.
   */
  outcomesOf(entries: readonly JournalEntry[]): (readonly [JournalEntry, SettleOutcome])[] {
    const known: (readonly [JournalEntry, SettleOutcome])[] = [];
    for (const entry of entries) {
      const outcome = this.outcomes.get(entry);
      if (!outcome || (outcome === POSTPONED && !this.hasAnswer)) break;
      known.push([entry, outcome]);
    }
    return known;
  }

  private answered(entry: JournalEntry, outcome: SettleOutcome): void {
    this.outcomes.set(entry, outcome);
    this.hasAnswer = true;
  }

  private postponeFor(error: StoreError, { taskId }: AttachmentRef, entries: readonly JournalEntry[]): void {
    if (error.outcome === 'unavailable') throw error;
    this.postpone(entries);
    if (error.outcome !== 'failed') this.slowTasks.add(taskId);
    // A silent store is not asked again for every other key.
    if (error.outcome === 'timeout') throw error;
    this.hasAnswer = true;
    this.postponedFor ??= error;
  }

  private postpone(entries: readonly JournalEntry[]): void {
    for (const entry of entries) this.outcomes.set(entry, POSTPONED);
  }
}
