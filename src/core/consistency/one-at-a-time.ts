/** Does one thing at a time for each name, in the order in which they were asked for. No name waits for another. */
export class OneAtATime {
  /** By name: settles when what was asked for last has ended. */
  private readonly last = new Map<string, Promise<unknown>>();

  /** `pause` is made between two works of a name, so that whatever waits is served. */
  constructor(private readonly pause: () => Promise<unknown> | void = () => undefined) {}

  /** Rejects as the work does; the next work of the name begins all the same. */
  async take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = this.last.get(name)?.then(work) ?? work();
    const ended = turn.then(this.pause, this.pause);
    this.last.set(name, ended);
    try {
      return await turn;
    } finally {
      if (this.last.get(name) === ended) this.last.delete(name);
    }
  }
}
