import type { ExpiredAttachment } from '../domain/attachment';

/**
 * Attachments that have expired and are still stored, and the tombstones that deletions leave. Every method throws
 * `StoreError`, and is one round trip.
 */
export abstract class ExpiredAttachmentStore {
  /** Those that expired first, of all organisations. */
  abstract find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]>;

  /**
   * Deletes the version that was found, under the stamp `expiryStamp`, and records its `attachmentExpired` with it.
   * Returns false if that version is no longer there: an overwrite has announced its expiry, or its task was deleted.
   */
  abstract remove(expired: ExpiredAttachment): Promise<boolean>;

  /**
   * Forgets at most `limit` tombstones of attachments with a version below `version`; returns how many. No write that
   * is older than that version may still be under way.
   */
  abstract purgeTombstones(version: number, limit: number): Promise<number>;
}
