import { Room } from '../../core/ports/room';
import type { Reservation } from '../load/byte-budget';
import { overloaded } from './json-rpc-error';
import type { ReplyBudget } from './reply-budget';

/**
 * A read that is as small as most reads asks for nothing before it: this much for one body, and for each of several.
 */
const MIN_GUESS_BYTES = 64 * 1024;
/**
 * If many messages have come at once, larger reads wait for each other: the replies of small ones come together, and
 * sixty of 60 KB hold the event loop for a tenth of a second.
 */
const MIN_GUESS_BYTES_OF_MANY = 16 * 1024;
const GUESS_BYTES_PER_BODY = 8 * 1024;
const MAX_GUESS_BYTES = 1024 * 1024;

/** About a millisecond of the event loop. */
const MUCH_BYTES = 128 * 1024;
const MUCH_ROWS = 64;
/** As measured with replies of 15 MiB, from PostgreSQL and from Redis. */
const MS_PER_BYTE = 3 / 2 ** 20;
/** As measured with pages of a thousand tasks without metadata, and of a hundred attachments without bodies. */
const MS_PER_ROW = 0.015;

/** Room for what one call reads: in the reply that it is read for, and in the memory of this process. */
export class CallRoom extends Room {
  private takenBytes = 0;
  private expectedBytes = 0;
  private rows = 0;
  private paidMs = 0;

  constructor(
    private readonly reply: ReplyBudget,
    private readonly reservation: Reservation | undefined,
    private readonly isOneOfMany = false,
  ) {
    super();
  }

  guess(bodies: number): number {
    const minBytes = this.isOneOfMany ? MIN_GUESS_BYTES_OF_MANY : MIN_GUESS_BYTES;
    const bytes = Math.min(guessBytes(bodies, minBytes), this.reply.leftBytes);
    this.reserve(bytes);
    return bytes;
  }

  take(bytes: number): void {
    // What is read a second time, because the cache is not believed, is not shown twice.
    const more = Math.max(0, bytes - this.expectedBytes);
    if (!this.reply.expect(more)) throw this.reply.error;
    this.expectedBytes += more;
    // With the part of the reply: calls that had all read, and found no room to reply, would have worked for nothing.
    this.reserve(bytes + more);
  }

  countRows(rows: number): void {
    this.rows += rows;
  }

  get unshown(): Room {
    return new UnshownRoom((bytes) => this.reserve(bytes));
  }

  /** Whether to write the result takes long enough for other callers to notice. */
  get hasReadMuch(): boolean {
    return this.expectedBytes > MUCH_BYTES || this.rows > MUCH_ROWS;
  }

  /** Of the event loop, roughly: to receive and to decode what was read since this was asked before. */
  takeUnpaidMs(): number {
    const readMs = this.expectedBytes * MS_PER_BYTE + this.rows * MS_PER_ROW;
    const unpaidMs = readMs - this.paidMs;
    this.paidMs = readMs;
    return unpaidMs;
  }

  /** The result, which the message holds until it has been sent, takes the place of what was read for it. */
  show(resultBytes: number): void {
    if (this.reservation?.exchange(this.takenBytes, resultBytes) === false) throw overloaded();
    this.takenBytes = 0;
  }

  /** What was read, and has not been shown, is garbage. */
  end(): void {
    this.reply.unexpect(this.expectedBytes);
    this.reservation?.giveBack(this.takenBytes);
  }

  private reserve(bytes: number): void {
    if (this.reservation && !this.reservation.take(bytes)) throw overloaded();
    this.takenBytes += bytes;
  }
}

class UnshownRoom extends Room {
  constructor(private readonly reserve: (bytes: number) => void) {
    super();
  }

  guess(bodies: number): number {
    const bytes = guessBytes(bodies);
    this.reserve(bytes);
    return bytes;
  }

  take(bytes: number): void {
    this.reserve(bytes);
  }

  countRows(): void {
    // What is not shown is not written either.
  }

  get unshown(): Room {
    return this;
  }
}

function guessBytes(bodies: number, minBytes = MIN_GUESS_BYTES): number {
  return Math.min(MAX_GUESS_BYTES, Math.max(minBytes, bodies * GUESS_BYTES_PER_BODY));
}
