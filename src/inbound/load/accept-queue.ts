/** So many iterations in a row with a new connection in each: more of them wait to be accepted. */
const IN_A_ROW = 4;

/**
 * Whether connections wait to be accepted. Node.js accepts one in each iteration of the event loop and does not tell
 * how many wait: where there is one in each of several iterations, others are behind it.
 */
export class AcceptQueue {
  private inARow = 0;

  get isWaiting(): boolean {
    return this.inARow >= IN_A_ROW;
  }

  /** To be called for each new connection. */
  accepted(): void {
    this.inARow += 1;
    const { inARow } = this;
    // The first one ends this iteration, and the second one the next.
    setImmediate(() =>
      setImmediate(() => {
        if (this.inARow === inARow) this.inARow = 0;
      }),
    );
  }
}
