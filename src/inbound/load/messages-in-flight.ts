import type { LoadShedder } from './load-shedder';

/** The messages that one transport has taken on and not answered yet; together they are the load of the process. */
export class MessagesInFlight {
  private readonly answering = new Set<Promise<unknown>>();

  constructor(private readonly load: LoadShedder) {}

  /** Counts a message as being answered until it is. */
  async track<T>(answer: Promise<T>): Promise<T> {
    this.answering.add(answer);
    try {
      return await this.load.track(answer);
    } finally {
      this.answering.delete(answer);
    }
  }

  /** Resolves when no message is being answered any more, whether or not its sender still waits. */
  async drain(): Promise<void> {
    // Others may come in while the last ones end.
    while (this.answering.size > 0) await Promise.allSettled(this.answering);
  }
}
