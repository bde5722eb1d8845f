/** Counts what happens in one iteration of the event loop. */
export class CountPerTurn {
  private count = 0;

  /** The number of this one, from 1. */
  next(): number {
    if (this.count === 0) setImmediate(() => (this.count = 0));
    this.count += 1;
    return this.count;
  }
}
