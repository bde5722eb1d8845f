import type { CallOrigin } from '../json-rpc/call-context';
import type { RateLimitHeaders } from './rate-limit-headers';

/** A request whose caller has been identified, from then on until its reply has been sent. */
export class OpenRequest {
  readonly origin: CallOrigin;
  private isOver = false;
  private answered?: Promise<void>;

  /** `sent` resolves when the reply has been sent, or its connection has closed. */
  constructor(
    origin: CallOrigin,
    readonly limits: RateLimitHeaders,
    private readonly sent: Promise<void>,
  ) {
    this.origin = { isAbandoned: () => this.isOver, ...origin };
    void sent.then(() => this.end());
  }

  /** Resolves when `answering` has settled and the reply has been sent. */
  untilOver(answering: Promise<unknown>): Promise<void> {
    this.answered = answering.then(
      () => undefined,
      () => undefined,
    );
    return this.answered.then(() => this.sent);
  }

  /** If the caller has hung up, its call goes on: what it has read is in memory until it ends. */
  private async end(): Promise<void> {
    this.isOver = true;
    const { reservation } = this.origin;
    reservation?.close();
    await this.answered;
    reservation?.end();
  }
}
