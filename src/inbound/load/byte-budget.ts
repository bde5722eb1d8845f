import { getHeapStatistics } from 'node:v8';
import { FairShare } from './fair-share';

/** A body is in memory several times on its way: as it was read, as a string, in the reply, and in what is sent. */
const HEAP_PART = 1 / 6;
/** Of what the others leave, for one caller: a largest reply and the bodies that it is made of, and some more. */
const PART_OF_CALLER = 5 / 8;

/** The bytes of requests, bodies and replies that this process may hold at the same time, for all callers together. */
export class ByteBudget {
  private readonly shares: FairShare;

  constructor(private readonly totalBytes = Math.floor(getHeapStatistics().heap_size_limit * HEAP_PART)) {
    this.shares = new FairShare(totalBytes, PART_OF_CALLER);
  }

  /** A caller that is alone can have it twice: for the bodies, and for the reply that is made of them. */
  get maxReplyBytes(): number {
    return Math.floor(this.totalBytes / 4);
  }

  /** Nothing is taken yet. */
  open(caller: string): Reservation {
    return new Reservation(this.shares, caller);
  }
}

/** What one message holds of the budget. */
export class Reservation {
  private bytes = 0;
  private isClosed = false;
  private isOver = false;

  constructor(
    private readonly shares: FairShare,
    private readonly caller: string,
  ) {}

  /** False, and nothing is taken, if there is no room. */
  take(bytes: number): boolean {
    if (this.isClosed || !this.shares.take(this.caller, bytes)) return false;
    this.bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    if (this.isOver) return;
    this.shares.giveBack(this.caller, bytes);
    this.bytes -= bytes;
  }

  /**
   * Holds `bytes` in place of `held` that it holds already: only what is more can be refused, and then nothing changes.
   */
  exchange(held: number, bytes: number): boolean {
    if (bytes > held) return this.take(bytes - held);
    this.giveBack(held - bytes);
    return !this.isClosed;
  }

  /** The caller has hung up: a call that goes on gets no more, and holds what it has until it ends. */
  close(): void {
    this.isClosed = true;
  }

  /** Gives all of it back. */
  end(): void {
    if (this.isOver) return;
    this.isClosed = this.isOver = true;
    this.shares.giveBack(this.caller, this.bytes);
  }
}
