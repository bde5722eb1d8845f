import {
  eventOf,
  versionOf,
  type AttachmentJournal,
  type JournalEntry,
  type ReadableEntry,
} from '../../ports/attachment-journal';
import type { AttachmentStore } from '../../ports/attachment-store';
import type { SpanOptions, Tracing } from '../../ports/tracing';
import { DrainBatch } from '../../consistency/drain-batch';
import { groupedBy } from '../../consistency/grouped-by';
import { inParallel } from '../../consistency/in-parallel';
import type { JournalBacklog } from '../../consistency/journal-backlog';

/** What one call of the store takes, unless a single task has more: its locks are held until all is written. */
const CALL_SIZE = 125;
const MAX_CALLS_IN_FLIGHT = 2;

/**
 * Writes to the store what the journal took while the store was unavailable. All replicas may drain at the same time.
 */
export class DrainJournal {
  private oldest?: number;

  constructor(
    private readonly journal: AttachmentJournal,
    private readonly store: AttachmentStore,
    private readonly backlog: JournalBacklog,
    private readonly tracing: Tracing,
  ) {}

  /** The version of the oldest entry, when the journal was read last; undefined if there was none that can be read. */
  get oldestVersion(): number | undefined {
    return this.oldest;
  }

  /** Whether entries may wait, as far as this replica knows. */
  get mayHaveEntries(): boolean {
    return this.backlog.mayExist;
  }

  /** Calls `listener` whenever it is time to `execute`, as far as this replica notices. */
  onAppended(listener: () => void): void {
    this.backlog.onAppended(listener);
  }

  /**
   * Takes the oldest entries, many with each call of the store. An entry that the store cannot take for now, because
   * its task is locked, goes behind all others and delays none of them; then the reason is thrown. So does an entry in
   * the format of a newer version of the service; if nothing else is left, this throws. `more` is false if another
   * replica was faster: to drain the same entries at the same time would only slow it down.
   */
  async execute(): Promise<{ more: boolean }> {
    const parts = await this.backlog.learnFrom(this.journal.oldest());
    this.oldest = lowestVersion(parts);
    const batch = new DrainBatch(this.store);
    let more = false;
    try {
      await inParallel(callsOf(batch.readable(parts.flat())), MAX_CALLS_IN_FLIGHT, (entries) =>
        this.tracing.isOn ? this.tracing.span(drainSpan(entries), () => batch.drain(entries)) : batch.drain(entries),
      );
    } finally {
      const settled = parts.flatMap((entries) => batch.outcomesOf(entries));
      if (settled.length > 0) more = (await this.journal.settle(settled)) > 0;
    }
    if (batch.postponedFor) throw batch.postponedFor;
    if (batch.onlyNewerCanGoOn) throw new Error('the entries that wait are of a newer version of the service');
    return { more };
  }
}

/** Linked to the calls that left the entries to the journal: they have ended long ago. */
function drainSpan(entries: readonly ReadableEntry[]): SpanOptions {
  const links = entries.flatMap(({ write }) => eventOf(write).trace ?? []);
  return { name: 'drain the journal', kind: 'internal', attributes: { 'dossier.entries': entries.length }, links };
}

/** Each part has its oldest entry at its head, unless that had to wait behind others. */
function lowestVersion(parts: readonly (readonly JournalEntry[])[]): number | undefined {
  const versions = parts.flatMap(([head]) => (head?.write ? versionOf(head.write) : []));
  return versions.length > 0 ? Math.min(...versions) : undefined;
}

/** The entries of a task stay together: two calls that write to one task would wait for each other. */
function callsOf(entries: readonly ReadableEntry[]): ReadableEntry[][] {
  const calls: ReadableEntry[][] = [];
  for (const ofTask of groupedBy(entries, ({ ref }) => ref.taskId)) {
    const last = calls.at(-1);
    if (last && last.length + ofTask.length <= CALL_SIZE) last.push(...ofTask);
    else calls.push(ofTask);
  }
  return calls;
}
