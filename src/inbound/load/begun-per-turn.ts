/** With small requests: a few milliseconds of the event loop. */
const MAX_PER_TURN = 64;

/**
 * Lets a few requests begin in one iteration of the event loop, and the others in later ones, in their order. Whatever
 * comes in by other ways is served in between: many requests may come at once through one connection.
 */
export class BegunPerTurn {
  private left = MAX_PER_TURN;
  private readonly waiting: (() => void)[] = [];
  private isScheduled = false;

  /** Undefined if the request may begin at once. */
  wait(): Promise<void> | undefined {
    this.schedule();
    if (this.left > 0 && this.waiting.length === 0) {
      this.left -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => this.nextTurn());
  }

  private nextTurn(): void {
    this.isScheduled = false;
    const begin = this.waiting.splice(0, MAX_PER_TURN);
    this.left = MAX_PER_TURN - begin.length;
    for (const resolve of begin) resolve();
    if (begin.length > 0) this.schedule();
  }
}
