import { isOutage, StoreError } from '../../core/ports/store-error';
import { LOCK_TIMEOUT_MS } from './database';

/** A server that has answered nothing for longer may have fallen silent. */
const LATELY_MS = 1000;

/** When the server last answered a call: this tells a server that serves others from one that has fallen silent. */
export class ServerAnswers {
  private lastAtMs = Number.NEGATIVE_INFINITY;

  /** Passes an answer on. A call that the server refused was answered, too. */
  async noting<T>(answer: Promise<T>): Promise<T> {
    try {
      const result = await answer;
      this.lastAtMs = performance.now();
      return result;
    } catch (error) {
      if (!isOutage(error)) this.lastAtMs = performance.now();
      throw error;
    }
  }

  /**
   * For a call that was not begun in time: if the server has answered no call in all that time, it may have fallen
   * silent.
   */
  waitedInVain(sinceMs: number): StoreError {
    return new StoreError('postgres', this.lastAtMs >= sinceMs ? 'busy' : 'timeout');
  }

  /**
   * For a call that came at `startedAtMs` and has no answer in time. The server has worked for it since `begunAtMs`; it
   * lets a call wait for a lock, and does not say so at once. A disk that takes no more writes makes every change late,
   * and no read.
   */
  lateSince(begunAtMs: number, startedAtMs: number, isRead: boolean): StoreError {
    const nowMs = performance.now();
    if (nowMs - begunAtMs < LOCK_TIMEOUT_MS) return this.waitedInVain(startedAtMs);
    return new StoreError('postgres', 'timeout', { servedOthers: isRead && nowMs - this.lastAtMs < LATELY_MS });
  }
}
