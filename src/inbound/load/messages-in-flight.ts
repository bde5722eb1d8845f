import type { LoadShedder } from './load-shedder';

/** The messages that one transport has taken on and not replied to yet. The load of the process is those of all. */
export class MessagesInFlight {
  private readonly answering = new Set<Promise<unknown>>();

  constructor(private readonly load: LoadShedder) {}

  /** Counts a message as in flight until `answer` settles. */
  async track<T>(answer: Promise<T>): Promise<T> {
    this.answering.add(answer);
    try {
      return await this.load.track(answer);
    } finally {
      this.answering.delete(answer);
    }
  }

  /** Resolves when no message is in flight any more, even if a sender has stopped waiting. */
  async drain(): Promise<void> {
    // More messages may come in while the last ones end.
    while (this.answering.size > 0) await Promise.allSettled(this.answering);
  }
}
