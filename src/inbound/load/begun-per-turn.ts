/** With small requests: a few milliseconds of the event loop. */
const MAX_PER_TURN = 64;
/** Of requests that take long, as long as there are several callers. */
const MIN_PER_TURN = 4;
/** After a turn that took longer fewer requests begin in one, otherwise more. */
const LONG_TURN_MS = 5;

/**
 * Lets a few requests begin in one iteration of the event loop, and the others in later ones: many may come at once
 * through one connection. Callers have their turns one after the other, and the requests of one caller their order.
 * Whatever comes in meanwhile is served in between. So a caller waits for a few requests of the others, not for all of
 * them, however long they take.
 */
export class BegunPerTurn {
  private limit = MAX_PER_TURN;
  private left = MAX_PER_TURN;
  /** Of each caller that waits; the first one is the next to begin. */
  private readonly waiting = new Map<string, (() => void)[]>();
  private isScheduled = false;
  private turnBeganAtMs = 0;

  constructor(
    /** Whether several callers have called lately: one that is alone waits for nobody. */
    private readonly isShared: () => boolean,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Undefined if the request may begin at once. */
  wait(caller: string): Promise<void> | undefined {
    this.schedule();
    if (this.left > 0 && this.waiting.size === 0) {
      this.left -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.queueOf(caller).push(resolve));
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.turnBeganAtMs = this.nowMs();
    setImmediate(() => this.nextTurn());
  }

  private nextTurn(): void {
    this.isScheduled = false;
    this.limit = this.nextLimit();
    for (this.left = this.limit; this.left > 0 && this.waiting.size > 0; this.left--) this.beginNext();
    if (this.left < this.limit) this.schedule();
  }

  private nextLimit(): number {
    if (!this.isShared()) return MAX_PER_TURN;
    const wasLong = this.nowMs() - this.turnBeganAtMs > LONG_TURN_MS;
    return wasLong ? Math.max(MIN_PER_TURN, this.limit / 2) : Math.min(MAX_PER_TURN, this.limit * 2);
  }

  private beginNext(): void {
    const [[caller, queue]] = this.waiting as unknown as [[string, (() => void)[]]];
    this.waiting.delete(caller);
    queue.shift()?.();
    if (queue.length > 0) this.waiting.set(caller, queue);
  }

  private queueOf(caller: string): (() => void)[] {
    const queue = this.waiting.get(caller) ?? [];
    this.waiting.set(caller, queue);
    return queue;
  }
}
