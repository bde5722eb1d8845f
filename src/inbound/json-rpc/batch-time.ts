import { setImmediate } from 'node:timers/promises';
import type { LoadShedder } from '../load/load-shedder';
import type { ReplyBudget } from './reply-budget';

/** Of the event loop: so much the calls of a batch may take at once. */
const MAX_AT_ONCE_MS = 1;

/**
 * The time of the event loop that the calls of one batch take. Calls that wait for a store leave the loop to others by
 * themselves, and pay for nothing. Calls that are refused at once do not, and many small results are as much work as
 * a large one.
 */
export class BatchTime {
  /** Tells how much was taken since the event loop has come to the batch; undefined while it is elsewhere. */
  private taken?: () => number;
  private payment?: Promise<boolean>;
  private isInTime = true;

  constructor(
    private readonly load: Pick<LoadShedder, 'loopTime' | 'begun'>,
    private readonly caller: string,
    private readonly budget: Pick<ReplyBudget, 'unpaidMs'>,
  ) {}

  /** Says when the batch may go on; false if the caller has taken so much that this would be too late. */
  mayGoOn(): boolean | Promise<boolean> {
    if (this.payment) return this.payment;
    const takenMs = this.budget.unpaidMs + (this.taken?.() ?? 0);
    if (takenMs >= MAX_AT_ONCE_MS) return (this.payment = this.pay(takenMs));
    this.watch();
    return this.isInTime;
  }

  /** For a call of a large message, or of a caller that has proved nothing: it begins as a message of its own would. */
  async turn(): Promise<void> {
    await setImmediate();
    await this.load.begun.wait(this.caller);
  }

  private async pay(takenMs: number): Promise<boolean> {
    this.budget.unpaidMs = 0;
    await setImmediate();
    this.isInTime = await this.load.loopTime.pay(this.caller, takenMs);
    this.payment = undefined;
    this.watch();
    return this.isInTime;
  }

  private watch(): void {
    if (this.taken) return;
    this.taken = this.load.loopTime.watch();
    // Comes when all of the batch waits.
    process.nextTick(() => (this.taken = undefined));
  }
}
