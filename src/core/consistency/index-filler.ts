import { OPERATION_TIMEOUT_MS } from '../ports/time-limits';
import type { AttachmentCache } from '../ports/attachment-cache';
import type { AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import { StoreError } from '../ports/store-error';

const MAX_FILLS_UNDER_WAY = 4;
/** How many attachments are read and filled at a time: the outlines of a whole task may be larger than the memory. */
const CHUNK_SIZE = 500;

/** Fills every attachment of a task into the cache, in the background, if the task is too large for one page. */
export class IndexFiller {
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly chunkSize = CHUNK_SIZE,
  ) {}

  /**
   * Does nothing while a fill of the same task is under way, or too many others are. Never fails: an index may stay
   * incomplete.
   */
  start(taskId: string, organization: string): void {
    if (this.underWay.has(taskId) || this.underWay.size >= MAX_FILLS_UNDER_WAY) return;
    const filling = this.fill(taskId, organization)
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
      })
      .finally(() => this.underWay.delete(taskId));
    this.underWay.set(taskId, filling);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.underWay.values());
  }

  private async fill(taskId: string, organization: string): Promise<void> {
    const { token } = await this.cache.readTask(taskId);
    let after: string | undefined;
    for (let complete = false; !complete;) {
      // What changes between two chunks is in no other case than what changes after the last one: the cache is told of
      // it.
      const query = { taskId, organization, nowMs: this.clock.nowMs(), after, limit: this.chunkSize };
      const attachments = await this.store.outlines(query, OPERATION_TIMEOUT_MS);
      if (!attachments) return;
      complete = attachments.length < this.chunkSize;
      await this.cache.fill([{ taskId, organization, token, attachments, withBodies: false, complete }]);
      after = attachments.at(-1)?.key;
    }
  }
}
