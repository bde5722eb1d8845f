import { Logger } from '@nestjs/common';

const FIRST_RETRY_MS = 250;

/** How long to wait until the next run. */
type DelayMs = number;

export interface PeriodicJobOptions {
  readonly name: string;
  /** One run; answers when it wants to run again. */
  readonly run: () => Promise<DelayMs>;
  /** The pause after the first failure in a row; a short one unless told otherwise. It doubles with each. */
  readonly firstRetryMs?: number;
  /** The longest pause after failures in a row. */
  readonly maxRetryMs: number;
  /** For how long after a line that it fails no other one is written; none unless told otherwise. */
  readonly quietMs?: number;
}

/**
 * Runs again and again, never twice at once; the pauses vary by a tenth, so that replicas do not march in step. A
 * failure is logged when it is the first after a success, or when the quiet time ends in which that was; its end is, too.
 */
export class PeriodicJob {
  private readonly logger: Logger;
  private timer?: NodeJS.Timeout;
  private underWay: Promise<void> = Promise.resolve();
  private isStopped = false;
  private failures = 0;
  private isFailureLogged = false;
  private quietUntilMs = 0;

  constructor(private readonly options: PeriodicJobOptions) {
    this.logger = new Logger(options.name);
  }

  /** Does nothing where it has been started before. */
  start(): void {
    if (this.timer === undefined) this.runIn(0);
  }

  /** Resolves when the run under way has ended; no other one begins. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.underWay;
  }

  private runIn(delayMs: number): void {
    if (this.isStopped) return;
    const jitteredMs = delayMs * (0.9 + Math.random() * 0.2);
    this.timer = setTimeout(() => void (this.underWay = this.run()), jitteredMs);
  }

  private async run(): Promise<void> {
    try {
      const delayMs = await this.options.run();
      if (this.isFailureLogged) this.logger.log('works again');
      this.isFailureLogged = false;
      this.failures = 0;
      this.runIn(delayMs);
    } catch (error) {
      this.logFailure(error);
      const { firstRetryMs = FIRST_RETRY_MS, maxRetryMs } = this.options;
      this.runIn(Math.min(firstRetryMs * 2 ** this.failures, maxRetryMs));
      this.failures = Math.min(this.failures + 1, 20);
    }
  }

  private logFailure(error: unknown): void {
    const nowMs = performance.now();
    if (this.isFailureLogged || nowMs < this.quietUntilMs) return;
    this.logger.warn(`fails, and is tried again: ${messageOf(error)}`);
    this.isFailureLogged = true;
    this.quietUntilMs = nowMs + (this.options.quietMs ?? 0);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something was thrown that is no error';
}
