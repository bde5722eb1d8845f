import { isOutage, StoreError } from '../../core/ports/store-error';
import { LOCK_TIMEOUT_MS } from './database';

/** A server that has answered nothing for longer may have fallen silent. */
const LATELY_MS = 1000;
/** An organisation whose last call is older has nothing that a breaker could take from it. */
const ACTIVE_MS = 10 * 60 * 1000;
/** Changes of two organisations that are late within this time are late for one reason. */
const LATE_TOGETHER_MS = 30_000;
/** The puts of several organisations share a statement. */
const SHARED = '';

/** When something last happened to an organisation, and when to another one. */
class LastTimes {
  private latest = { organization: SHARED, atMs: Number.NEGATIVE_INFINITY };
  private another = this.latest;

  note(organization: string, atMs: number): void {
    if (organization !== this.latest.organization) this.another = this.latest;
    this.latest = { organization, atMs };
  }

  ofAnother(organization: string): number {
    return (this.latest.organization === organization ? this.another : this.latest).atMs;
  }
}

/** When the server last answered a call: this tells a server that serves others from one that has fallen silent. */
export class ServerAnswers {
  private lastAtMs = Number.NEGATIVE_INFINITY;
  private readonly answered = new LastTimes();
  private readonly lateChanges = new LastTimes();

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
   * lets a call wait for a lock, and does not say so at once. If there is only one organisation, nobody can tell its
   * slow calls from a slow server. A disk that takes no more writes makes the changes of all late, and no read.
   */
  lateSince(begunAtMs: number, startedAtMs: number, organization: string | undefined, isRead: boolean): StoreError {
    const nowMs = performance.now();
    if (nowMs - begunAtMs < LOCK_TIMEOUT_MS) return this.waitedInVain(startedAtMs);
    const owner = organization ?? SHARED;
    const isAlone = isRead || nowMs - this.lateChanges.ofAnother(owner) > LATE_TOGETHER_MS;
    if (!isRead) this.lateChanges.note(owner, nowMs);
    const isServing = nowMs - this.lastAtMs < LATELY_MS;
    const hasOthers = organization !== undefined && nowMs - this.answered.ofAnother(organization) < ACTIVE_MS;
    return new StoreError('postgres', 'timeout', { servedOthers: isAlone && isServing && hasOthers });
  }

  private note(organization?: string): void {
    this.lastAtMs = performance.now();
    if (organization !== undefined) this.answered.note(organization, this.lastAtMs);
  }
}
