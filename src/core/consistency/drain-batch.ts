import { refName, type AttachmentRef } from '../domain/attachment';
import type {
  DrainDelay,
  DrainOutcome,
  JournalEntry,
  ReadableEntry,
  SettledEntry,
  SettleOutcome,
} from '../ports/attachment-journal';
import type { AttachmentStore } from '../ports/attachment-store';
import { StoreError } from '../ports/store-error';
import { groupedBy } from './grouped-by';
import { inParallel } from './in-parallel';

const MAX_KEYS_IN_FLIGHT = 8;
const POSTPONED: SettleOutcome = { state: 'postponed' };
const LEFT_TO_NEWER: SettleOutcome = { state: 'postponed' };

/** What has come of the entries of one drain. */
export class DrainBatch {
  /** Why the first of the postponed entries has to wait. */
  postponedFor?: StoreError;
  private readonly outcomes = new Map<JournalEntry, SettleOutcome>();
  /** Any other write to them would wait as long. */
  private readonly slowTasks = new Set<string>();
  private hasAnswer = false;
  private hasProgress = false;
  private isLeftToNewer = false;

  constructor(private readonly store: AttachmentStore) {}

  /** Whether all that could be done was to leave entries to replicas of a newer version of the service. */
  get onlyNewerCanGoOn(): boolean {
    return this.isLeftToNewer && !this.hasProgress;
  }

  /**
   * The entries that this replica can read. Those of a newer format go behind all others, until a replica takes them
   * that knows the format; so does what follows them under the same key.
   */
  readable(entries: readonly JournalEntry[]): readonly ReadableEntry[] {
    const waiting = new Set<string>();
    return entries.filter((entry): entry is ReadableEntry => {
      const name = refName(entry.ref);
      if (entry.write && !waiting.has(name)) return true;
      waiting.add(name);
      this.isLeftToNewer = true;
      this.outcomes.set(entry, LEFT_TO_NEWER);
      return false;
    });
  }

  /**
   * Takes entries with one call of the store, those of one key in their order. If the store cannot take all of them,
   * each key is taken by itself, so that one bad entry delays no other.
   */
  async drain(entries: readonly ReadableEntry[]): Promise<void> {
    if (entries.length === 1) return this.drainKey(entries);
    try {
      const outcomes = await this.store.drain(entries.map(({ write }) => write));
      entries.forEach((entry, i) => this.answered(entry, outcomes[i] as DrainOutcome | DrainDelay));
    } catch (error) {
      if (!(error instanceof StoreError) || error.outcome === 'unavailable') throw error;
      const keys = groupedBy(entries, ({ ref }) => refName(ref));
      await inParallel(keys, MAX_KEYS_IN_FLIGHT, (ofKey) => this.drainKey(ofKey));
    }
  }

  /**
   * Up to the first entry without an outcome: entries leave the journal at its head. If the store has not replied to
   * any entry, its silence is the fault of none, and nothing is postponed.
   */
  outcomesOf(entries: readonly JournalEntry[]): SettledEntry[] {
    const known: SettledEntry[] = [];
    for (const entry of entries) {
      const outcome = this.outcomes.get(entry);
      if (!outcome || (outcome === POSTPONED && !this.hasAnswer)) break;
      known.push({ entry, outcome });
    }
    return known;
  }

  /** One after the other: what follows a postponed entry waits behind it. */
  private async drainKey(entries: readonly ReadableEntry[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      if (this.slowTasks.has(entry.ref.taskId)) return this.postpone(entries.slice(i));
      try {
        const [outcome] = await this.store.drain([entry.write]);
        this.answered(entry, outcome as DrainOutcome | DrainDelay);
        if (outcome?.state === 'busy') return this.postpone(entries.slice(i));
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.outcome !== 'refused') return this.postponeFor(error, entry.ref, entries.slice(i));
        this.answered(entry, { state: 'refused', reason: error.code ?? error.outcome });
      }
    }
  }

  private answered(entry: JournalEntry, outcome: SettleOutcome | DrainOutcome | DrainDelay): void {
    this.hasAnswer = true;
    if (outcome.state === 'busy') {
      this.outcomes.set(entry, POSTPONED);
      this.postponedFor ??= new StoreError('postgres', 'busy');
      return;
    }
    this.hasProgress = true;
    // It was acknowledged, so it must not end without a trace.
    this.outcomes.set(entry, outcome.state === 'task-missing' ? { state: 'refused', reason: outcome.state } : outcome);
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
