import type { CallIds } from '../correlation/call-ids';

const PAUSE_SECONDS = 10;

/** What came since the last line on a subject. */
interface Repetitions {
  readonly counts: Map<string, number>;
  /** Of the last call. */
  ids?: CallIds;
}

/**
 * Writes the first line on a subject at once. After that it says every ten seconds which texts came again and how
 * often, until ten seconds pass without one. Each line has the ids of one call, the last that it is about.
 */
export class DeduplicatedLog {
  private readonly repetitions = new Map<string, Repetitions>();

  constructor(private readonly write: (line: string, ids?: CallIds) => void) {}

  /** Nothing in `subject` or `text` may come from a caller: each different one takes memory. */
  add(subject: string, text: string, ids?: CallIds): void {
    const known = this.repetitions.get(subject);
    if (known) {
      known.counts.set(text, (known.counts.get(text) ?? 0) + 1);
      known.ids = ids;
    } else {
      this.write(`${subject}: ${text}`, ids);
      this.startCounting(subject);
    }
  }

  private startCounting(subject: string): void {
    const repetitions: Repetitions = { counts: new Map() };
    this.repetitions.set(subject, repetitions);
    setTimeout(() => this.report(subject, repetitions), PAUSE_SECONDS * 1000).unref();
  }

  private report(subject: string, { counts, ids }: Repetitions): void {
    if (counts.size === 0) {
      this.repetitions.delete(subject);
      return;
    }
    const texts = [...counts].map(([text, count]) => `${count}x ${text}`);
    this.write(`${subject}: in the last ${PAUSE_SECONDS} s ${texts.join(', ')}`, ids);
    this.startCounting(subject);
  }
}
