const PAUSE_SECONDS = 10;

/**
 * Writes the first line on a subject at once. After that it says every ten seconds which texts came again and how
 * often, until ten seconds pass without one.
 */
export class DeduplicatedLog {
  /** How often each text came since the last line on its subject. */
  private readonly repetitions = new Map<string, Map<string, number>>();

  constructor(private readonly write: (line: string) => void) {}

  /** Nothing in `subject` or `text` may come from a caller: each different one takes memory. */
  add(subject: string, text: string): void {
    const counts = this.repetitions.get(subject);
    if (counts) counts.set(text, (counts.get(text) ?? 0) + 1);
    else {
      this.write(`${subject}: ${text}`);
      this.startCounting(subject);
    }
  }

  private startCounting(subject: string): void {
    const counts = new Map<string, number>();
    this.repetitions.set(subject, counts);
    setTimeout(() => this.report(subject, counts), PAUSE_SECONDS * 1000).unref();
  }

  private report(subject: string, counts: ReadonlyMap<string, number>): void {
    if (counts.size === 0) {
      this.repetitions.delete(subject);
      return;
    }
    const texts = [...counts].map(([text, count]) => `${count}x ${text}`);
    this.write(`${subject}: in the last ${PAUSE_SECONDS} s ${texts.join(', ')}`);
    this.startCounting(subject);
  }
}
