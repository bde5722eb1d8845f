import type { ExpiredAttachment } from '../domain/attachment';

/**
 * What has expired and is still stored, and the tombstones that deletions leave. Every method throws `StoreError`, and
 * is one round trip.
 */
export abstract class ExpiredAttachmentStore {
  /** Those that have expired first, of all organisations. */
  abstract find(nowMs: number, limit: number): Promise<readonly ExpiredAttachment[]>;

  /**
   * Deletes the very version that was found, under the stamp `expiryStamp`, together with recording its
   * `attachmentExpired`. False where it is no longer there: an overwrite has announced its expiry, or it went with its
   * task.
   */
  abstract remove(expired: ExpiredAttachment): Promise<boolean>;

  /**
   * Forgets at most `limit` tombstones of attachments with a version below `version`; returns how many. No write that
   * is older than that may still be under way.
   */
  abstract purgeTombstones(version: number, limit: number): Promise<number>;
}
