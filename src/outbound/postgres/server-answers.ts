import { isOutage, StoreError } from '../../core/ports/store-error';
import { LOCK_TIMEOUT_MS } from './database';

/** A server that has answered nothing for longer may have fallen silent. */
const LATELY_MS = 1000;
/** An organisation whose last call is older has nothing that a breaker could take from it. */
const ACTIVE_MS = 10 * 60 * 1000;

interface Answer {
  readonly organization?: string;
  readonly atMs: number;
}

/** When the server last answered a call: this tells a server that serves others from one that has fallen silent. */
export class ServerAnswers {
  private lastAtMs = Number.NEGATIVE_INFINITY;
  /** The last answer to an organisation, and the last one before it that was to another organisation. */
  private latest: Answer = { atMs: Number.NEGATIVE_INFINITY };
  private another = this.latest;

  /** Passes an answer on. A call that the server refused was answered, too. It may be of no organisation. */
  async noting<T>(answer: Promise<T>, organization?: string): Promise<T> {
    try {
      const result = await answer;
      this.note(organization);
      return result;
    } catch (error) {
      if (!isOutage(error)) this.note(organization);
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
   * and no read. If there is only one organisation, nobody can tell its slow reads from a slow server.
   */
  lateSince(begunAtMs: number, startedAtMs: number, readFor?: string): StoreError {
    const nowMs = performance.now();
    if (nowMs - begunAtMs < LOCK_TIMEOUT_MS) return this.waitedInVain(startedAtMs);
    const servedOthers = readFor !== undefined && nowMs - this.lastAtMs < LATELY_MS && this.hasOthers(readFor, nowMs);
    return new StoreError('postgres', 'timeout', { servedOthers });
  }

  private hasOthers(organization: string, nowMs: number): boolean {
    const other = this.latest.organization === organization ? this.another : this.latest;
    return nowMs - other.atMs < ACTIVE_MS;
  }

  private note(organization?: string): void {
    this.lastAtMs = performance.now();
    if (organization === undefined) return;
    if (organization !== this.latest.organization) this.another = this.latest;
    this.latest = { organization, atMs: this.lastAtMs };
  }
}
