const PAUSE_MS = 1000;

/** Writes a line at once, and then every second how often it came again, until it stays away for that long. */
export class RepeatedLines {
  private readonly repetitions = new Map<string, number>();

  constructor(private readonly write: (line: string) => void) {}

  /** Lines must be of a limited number of kinds: nothing in them may come from a caller. */
  add(line: string): void {
    const repetitions = this.repetitions.get(line);
    if (repetitions === undefined) {
      this.write(line);
      this.countAnew(line);
    } else this.repetitions.set(line, repetitions + 1);
  }

  private countAnew(line: string): void {
    this.repetitions.set(line, 0);
    setTimeout(() => this.report(line), PAUSE_MS).unref();
  }

  private report(line: string): void {
    const repetitions = this.repetitions.get(line);
    if (!repetitions) {
      this.repetitions.delete(line);
      return;
    }
    this.write(`${line}, ${repetitions} more`);
    this.countAnew(line);
  }
}
