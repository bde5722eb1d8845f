import { setImmediate } from 'node:timers/promises';

/**
 * Does one thing at a time for each caller, in the order in which they were asked for. Callers do not wait for each
 * other.
 */
export class CallerTurns {
  /** Settles when what a caller has asked for last has ended. */
  private readonly last = new Map<string, Promise<unknown>>();

  /** `pause` is made between two works of a caller, so that whatever waits is served. */
  constructor(private readonly pause: () => Promise<unknown> = () => setImmediate()) {}

  /** Rejects as the work does; the next work of the caller begins all the same. */
  async take<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const turn = this.last.get(caller)?.then(work) ?? work();
    const ended = turn.then(this.pause, this.pause);
    this.last.set(caller, ended);
    try {
      return await turn;
    } finally {
      if (this.last.get(caller) === ended) this.last.delete(caller);
    }
  }
}
