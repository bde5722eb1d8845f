import { AsyncResource } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { StoreError } from '../../core/ports/store-error';

const FIRST_RETRY_MS = 250;
/** A failure whose cause changes with every attempt is not logged more often. */
const CHANGED_CAUSE_QUIET_MS = 10_000;

/** In ms, before the next run. A pause between two limits is as long as possible, unless `wake` ends it. */
export type Pause = number | { readonly atLeastMs: number; readonly atMostMs: number };

export interface PeriodicJobOptions {
  readonly name: string;
  readonly run: () => Promise<Pause>;
  /** The pause after the first failure in a row; a short one by default. It doubles with each. */
  readonly firstRetryMs?: number;
  /** The longest pause after failures in a row. */
  readonly maxRetryMs: number;
  /** For how long after one line about a failure no other such line is written; 0 by default. */
  readonly quietMs?: number;
  /**
   * From 0 to below 1, anew for each pause: how far it lies between the shortest and the longest. Chance by default.
   */
  readonly jitter?: () => number;
}

/**
 * Runs again and again, never twice at once. The pauses vary by a tenth, so that replicas do not march in step. The
 * first failure after a success is logged, at the end of the quiet time if it happens within one; so are the next
 * success, and a failure that has another cause than the one before.
 */
export class PeriodicJob {
  private readonly logger: Logger;
  private timer?: NodeJS.Timeout;
  private underWay: Promise<void> = Promise.resolve();
  private isStopped = false;
  private failures = 0;
  /** The one that was logged last, until a run succeeds. */
  private loggedFailure?: string;
  private loggedAtMs = Number.NEGATIVE_INFINITY;
  private succeededAtMs?: number;
  private isWoken = false;
  /** Not in the context of the call that wakes the job: what it does would be a part of that call's trace. */
  private readonly begin = AsyncResource.bind(() => void (this.underWay = this.run()));
  /** When the pause under way may end; undefined if `wake` does not end it. */
  private soonestMs?: number;

  constructor(private readonly options: PeriodicJobOptions) {
    this.logger = new Logger(options.name);
  }

  get name(): string {
    return this.options.name;
  }

  /** Since the epoch, when the last run that succeeded ended; undefined if none has. */
  get lastSuccessMs(): number | undefined {
    return this.succeededAtMs;
  }

  /** Does nothing if it has been started before. */
  start(): void {
    if (this.timer === undefined) this.runIn(0);
  }

  /** There may be something to do: ends the pause under way, or, during a run, the one that follows it. */
  wake(): void {
    this.isWoken = true;
    if (this.soonestMs === undefined) return;
    clearTimeout(this.timer);
    this.schedule(Math.max(this.soonestMs - performance.now(), 0));
  }

  /** Resolves when the run under way has ended; no other one begins. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.underWay;
  }

  private runIn(delayMs: number): void {
    const { jitter = Math.random } = this.options;
    this.schedule(delayMs * (0.9 + jitter() * 0.2));
  }

  private schedule(delayMs: number): void {
    this.soonestMs = undefined;
    if (this.isStopped) return;
    this.timer = setTimeout(this.begin, delayMs);
  }

  private rest(pause: Pause): void {
    if (typeof pause === 'number') return this.runIn(pause);
    this.runIn(pause.atMostMs);
    this.soonestMs = performance.now() + pause.atLeastMs;
    if (this.isWoken) this.wake();
  }

  private async run(): Promise<void> {
    this.isWoken = false;
    this.soonestMs = undefined;
    try {
      const pause = await this.options.run();
      this.succeededAtMs = Date.now();
      if (this.loggedFailure !== undefined) this.logger.log('works again');
      this.loggedFailure = undefined;
      this.failures = 0;
      this.rest(pause);
    } catch (error) {
      this.logFailure(error);
      const { firstRetryMs = FIRST_RETRY_MS, maxRetryMs } = this.options;
      this.runIn(Math.min(firstRetryMs * 2 ** this.failures, maxRetryMs));
      this.failures = Math.min(this.failures + 1, 20);
    }
  }

  private logFailure(error: unknown): void {
    const nowMs = performance.now();
    const failure = messageOf(error);
    const { quietMs = 0 } = this.options;
    const waitMs = this.loggedFailure === undefined ? quietMs : Math.max(quietMs, CHANGED_CAUSE_QUIET_MS);
    if (failure === this.loggedFailure || nowMs < this.loggedAtMs + waitMs) return;
    this.logger.warn(`fails, and is tried again: ${failure}`);
    this.loggedAtMs = nowMs;
    this.loggedFailure = failure;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof StoreError && error.code !== undefined) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : 'something was thrown that is no error';
}
