import { replyTooLarge, type JsonRpcError } from './json-rpc-error';
import type { Steps } from './json-scanner';
import { JsonTooLong, writeJson, writeJsonInSteps } from './json-writer';

/** What each reply of a batch may have whatever the others need: enough for the error of one that is too large. */
const OWN_BYTES = 1024;
/** No UTF-16 unit has more bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * Limits one message of replies, in UTF-8 bytes: a small request may ask for more than memory can hold. The replies to
 * a batch share what they do not need of their own.
 */
export class ReplyBudget {
  /** Of the event loop: for what was read for the message, as far as its caller has not paid for it. */
  unpaidMs = 0;
  private readonly ownBytes: number;
  private sharedBytes: number;
  private expectedBytes = 0;

  /** `calls` is the length of a batch; undefined for a message of one call. */
  constructor(
    private readonly maxReplyBytes: number,
    calls?: number,
  ) {
    const bracketsAndCommas = calls === undefined ? 0 : calls + 1;
    const bytes = Math.max(0, maxReplyBytes - bracketsAndCommas);
    this.ownBytes = calls === undefined ? bytes : Math.min(OWN_BYTES, bytes / calls);
    this.sharedBytes = bytes - (calls ?? 1) * this.ownBytes;
  }

  /** Room for bodies that are to be read for the reply: what is larger than the reply may be need not be read. */
  expect(bytes: number): boolean {
    if (this.expectedBytes + bytes > this.ownBytes + this.sharedBytes) return false;
    this.expectedBytes += bytes;
    return true;
  }

  /** They have been read, or will not be. */
  unexpect(bytes: number): void {
    this.expectedBytes -= bytes;
  }

  get leftBytes(): number {
    return Math.floor(this.ownBytes + this.sharedBytes);
  }

  get error(): JsonRpcError {
    return this.errorWithin(Infinity);
  }

  /**
   * Throws a `JsonRpcError` while a result is written that no reply can carry, before it fills the memory. `maxBytes`
   * is a further limit, of this result alone.
   */
  write(result: unknown, maxBytes = Infinity): string {
    try {
      return writeJson(result, Math.min(this.leftBytes, maxBytes));
    } catch (error) {
      throw error instanceof JsonTooLong ? this.errorWithin(maxBytes) : error;
    }
  }

  /** As `write`, in steps. */
  *writeInSteps(result: object, maxBytes = Infinity): Steps<string> {
    try {
      return yield* writeJsonInSteps(result, Math.min(this.leftBytes, maxBytes));
    } catch (error) {
      throw error instanceof JsonTooLong ? this.errorWithin(maxBytes) : error;
    }
  }

  /** Whether the message has room for `reply`; takes the room if so. Counting costs nothing for small replies. */
  takes(reply: string): boolean {
    if (reply.length * MAX_BYTES_PER_UNIT <= this.ownBytes) return true;
    // To count the bytes of a large text takes time, and none has fewer bytes than units.
    if (reply.length > this.leftBytes) return false;
    const shared = Math.max(0, Buffer.byteLength(reply) - this.ownBytes);
    if (shared > this.sharedBytes) return false;
    this.sharedBytes -= shared;
    return true;
  }

  private errorWithin(maxBytes: number): JsonRpcError {
    return replyTooLarge({ maxReplyBytes: Math.min(this.maxReplyBytes, maxBytes) });
  }
}
