import type { LoadShedder } from './load-shedder';

/** The messages that one transport has taken on and not replied to yet. The load of the process is those of all. */
export class MessagesInFlight {
  /** Not a set of the answers: its tables link to each other, so that V8 would keep the old answers for long. */
  private count = 0;
  private readonly drained: (() => void)[] = [];

  constructor(private readonly load: LoadShedder) {}

  /**
   * Counts a message as in flight until `answer` settles. Without a share it is no load yet: its sender is not known,
   * or what it costs is tracked by itself.
   */
  async track<T>(answer: Promise<T>, share?: string): Promise<T> {
    this.count += 1;
    try {
      return await (share === undefined ? answer : this.load.track(answer, share));
    } finally {
      this.count -= 1;
      if (this.count === 0) for (const resolve of this.drained.splice(0)) resolve();
    }
  }

  /** Resolves when no message is in flight any more, even if a sender has stopped waiting. */
  async drain(): Promise<void> {
    // More messages may come in while the last ones end.
    while (this.count > 0) await new Promise<void>((resolve) => this.drained.push(resolve));
  }
}
