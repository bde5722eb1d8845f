/** How many events are prepared for one iteration of Node's own loop, which costs more than most events. */
const EVENTS_PER_TURN = 64;

interface TimedEvent {
  readonly atMs: number;
  /** Events of one moment happen in the order in which they were planned. */
  readonly order: number;
  readonly run: () => void;
}

/**
 * Virtual time: a heap of what is going to happen. Between two events all promises that have been settled run on as far
 * as they can, so that an event is atomic, and what follows from it in the same process too.
 */
export class Timeline {
  private readonly heap: TimedEvent[] = [];
  private planned = 0;
  private isStopped = false;
  /** How many events have happened. */
  events = 0;

  constructor(private ms: number) {}

  get nowMs(): number {
    return this.ms;
  }

  at(atMs: number, run: () => void): void {
    const event = { atMs: Math.max(atMs, this.ms), order: this.planned++, run };
    const { heap } = this;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as TimedEvent;
      if (isBefore(above, event)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.ms + delayMs, run);
  }

  /** Nothing happens any more. */
  stop(): void {
    this.isStopped = true;
  }

  /**
   * Lets happen what was planned up to `untilMs`, with all that follows from it up to then; throws what an event
   * throws.
   */
  run(untilMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let prepared = 0;
      let isOver = false;
      const end = (settle: () => void) => {
        isOver = true;
        settle();
      };
      const step = () => {
        if (isOver) return;
        prepared -= 1;
        const next = this.heap[0];
        if (this.isStopped || !next || next.atMs > untilMs) {
          if (!this.isStopped) this.ms = untilMs;
          return end(resolve);
        }
        this.take();
        this.ms = next.atMs;
        this.events += 1;
        try {
          next.run();
        } catch (error) {
          return end(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
        if (prepared === 0) prepare();
      };
      const prepare = () => {
        prepared = EVENTS_PER_TURN;
        // Node drains the queue of settled promises after each of these.
        for (let i = 0; i < EVENTS_PER_TURN; i++) setImmediate(step);
      };
      prepare();
    });
  }

  /** Removes the first event. */
  private take(): void {
    const { heap } = this;
    const last = heap.pop() as TimedEvent;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as TimedEvent)) child += 1;
      if (isBefore(last, heap[child] as TimedEvent)) break;
      heap[index] = heap[child] as TimedEvent;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
