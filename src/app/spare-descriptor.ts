import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';

/**
 * A file descriptor that is kept for the moment when connections have used up all others: a key that was removed from
 * its file must not stay valid because the file cannot be opened.
 */
export class SpareDescriptor {
  private descriptor: number | undefined = openSync(devNull, 'r');

  /** `work` may open one file. It is synchronous, so that no new connection takes the descriptor first. */
  use<T>(work: () => T): T {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
    try {
      return work();
    } finally {
      this.keep();
    }
  }

  private keep(): void {
    try {
      this.descriptor = openSync(devNull, 'r');
    } catch {
      // Another thread was faster. The next use does without.
    }
  }
}
