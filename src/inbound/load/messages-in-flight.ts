import type { LoadShedder } from './load-shedder';

/** The messages that one transport has taken on and not replied to yet. The load of the process is those of all. */
export class MessagesInFlight {
  private readonly answering = new Set<Promise<unknown>>();

  constructor(private readonly load: LoadShedder) {}

  /**
   * Counts a message as in flight until `answer` settles. Without a share it is no load yet: its sender is not known,
   * or what it costs is tracked by itself.
   */
  async track<T>(answer: Promise<T>, share?: string): Promise<T> {
    this.answering.add(answer);
    try {
      return await (share === undefined ? answer : this.load.track(answer, share));
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
