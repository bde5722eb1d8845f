import type { ExpiredAttachment } from '../domain/attachment';

/**
 * Attachments that have expired and are still stored, and the tombstones that deletions leave. Every method throws
 * `StoreError`, and is one round trip, or a few for many attachments.
 */
export abstract class ExpiredAttachmentStore {
  /**
   * At most `limit`, of each organisation those that expired first. If there are more, organisations take turns: each
   * has its first one before any has its second, and so on.
   */
  abstract find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]>;

  /**
   * Deletes the versions that were found, each under the stamp `expiryStamp`, and records an `attachmentExpired` with
   * each. Returns those that it has deleted. A version is not among them if it is no longer there (an overwrite has
   * announced its expiry, or its task was deleted), or if others of its task could be deleted without a wait for it.
   */
  abstract remove(expired: readonly ExpiredAttachment[]): Promise<readonly ExpiredAttachment[]>;

  /**
   * Forgets at most `limit` tombstones of attachments with a version below `version`; returns how many. No write that
   * is older than that version may still be under way.
   */
  abstract purgeTombstones(version: number, limit: number): Promise<number>;
}
