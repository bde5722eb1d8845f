/** The highest number that was noted lately: within one to two windows. */
export class RecentMost {
  private beganAtMs = -Infinity;
  private inWindow = 0;
  private inWindowBefore = 0;

  constructor(
    private readonly windowMs: number,
    private readonly nowMs: () => number,
  ) {}

  /** 0 if none was. */
  get value(): number {
    this.turn();
    return Math.max(this.inWindow, this.inWindowBefore);
  }

  note(number: number): void {
    this.turn();
    this.inWindow = Math.max(this.inWindow, number);
  }

  private turn(): void {
    const passedMs = this.nowMs() - this.beganAtMs;
    if (passedMs < this.windowMs) return;
    this.inWindowBefore = passedMs < 2 * this.windowMs ? this.inWindow : 0;
    this.inWindow = 0;
    this.beganAtMs = this.nowMs();
  }
}
