const PAUSE_SECONDS = 10;

/**
 * Writes the first line on a subject at once, and then every ten seconds what came again and how often, until nothing
 * comes for that long.
 */
export class RepeatedLines {
  /** How often each text came since the last line on its subject. */
  private readonly repetitions = new Map<string, Map<string, number>>();

  constructor(private readonly write: (line: string) => void) {}

  /** Both must be of a limited number of kinds: nothing in them may come from a caller. */
  add(subject: string, text: string): void {
    const counts = this.repetitions.get(subject);
    if (counts) counts.set(text, (counts.get(text) ?? 0) + 1);
    else {
      this.write(`${subject}: ${text}`);
      this.countAnew(subject);
    }
  }

  private countAnew(subject: string): void {
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
    this.countAnew(subject);
  }
}
