import type { NatsConnection } from '@nats-io/transport-node';

const MAX_WAITING = 16;

/**
 * Answers the questions of service discovery one after the other: each when the server has the reply to the one before.
 * A reply has tens of kilobytes, and whoever asks has proved nothing.
 */
export class DiscoveryReplies {
  private readonly waiting: (() => void)[] = [];
  private isAnswering = false;

  constructor(private readonly client: Pick<NatsConnection, 'flush'>) {}

  /** False if too many wait already: this one is not answered. */
  add(answer: () => void): boolean {
    if (this.waiting.length >= MAX_WAITING) return false;
    this.waiting.push(answer);
    if (!this.isAnswering) void this.answerAll();
    return true;
  }

  private async answerAll(): Promise<void> {
    this.isAnswering = true;
    for (let answer = this.waiting.shift(); answer; answer = this.waiting.shift()) {
      try {
        answer();
        await this.client.flush();
      } catch {
        // Without a connection the reply is lost, and the next question comes by the next one.
      }
    }
    this.isAnswering = false;
  }
}
