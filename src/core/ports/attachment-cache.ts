import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { WriteStamp } from '../domain/version';

/** What the cache knows of one task at the moment of a read. */
export interface CachedTask {
  /** Permission to fill what the store answers to a read that begins after this one; void once anything has changed. */
  readonly token: number;
  /** Known where the task is known to exist. */
  readonly organization?: string;
  /** The task is known to be deleted: nothing of it may be answered. */
  readonly deleted: boolean;
}

export interface CachedAttachment extends CachedTask {
  /** Undefined is "not known", never "not there". Expired ones are returned: the reader judges by its own clock. */
  readonly attachment?: Attachment;
}

export interface CachedPage extends CachedTask {
  /** Undefined unless the cache knows every live attachment of the task. */
  readonly page?: {
    readonly totalCount: number;
    /** In the order asked for; `attachment` is undefined where its body has been lost. */
    readonly entries: readonly { readonly key: string; readonly attachment?: Attachment }[];
  };
}

export interface PageRequest {
  readonly taskId: string;
  readonly organization: string;
  readonly limit: number;
  readonly offset: number;
  readonly descending: boolean;
  readonly includeBodies: boolean;
  readonly nowMs: number;
}

/** A change that the store has applied. `attachment` is null for a deletion. */
export interface AppliedChange extends AttachmentRef {
  readonly stamp: WriteStamp;
  readonly attachment: Attachment | null;
}

export function putChange(attachment: Attachment): AppliedChange {
  const { taskId, key, version, op } = attachment;
  return { taskId, key, stamp: { version, op }, attachment };
}

export interface Fill {
  readonly taskId: string;
  readonly organization: string;
  readonly token: number;
  /** As the store answered them; without bodies only where `withBodies` is false. */
  readonly attachments: readonly Attachment[];
  readonly withBodies: boolean;
  /** These, with all that was filled under the same token, are every live attachment of the task. */
  readonly complete: boolean;
}

/**
 * Answers faster than the store, and may forget anything at any time, in part or whole. It never says that an
 * attachment does not exist, never goes back to an older version than it has been told of, and pages in the same order
 * as the store. What it cannot make sense of is "not known", and so is every attachment of a task of another
 * organisation than the one that asks: nobody is to see by the time of an answer that there is something to read.
 *
 * Every method throws `StoreError`; a change or fill that failed may or may not have taken effect.
 */
export abstract class AttachmentCache {
  /** In the order of `refs`. One round trip, or one per slot where the cache is split into slots. */
  abstract read(refs: readonly AttachmentRef[], organization: string): Promise<readonly CachedAttachment[]>;

  /** What is known of a task, without any attachment. One round trip. */
  abstract readTask(taskId: string): Promise<CachedTask>;

  /** At most two round trips, whatever the number of attachments. */
  abstract readPage(request: PageRequest): Promise<CachedPage>;

  /** One round trip. Until told of a change, the cache may answer what was there before it. */
  abstract apply(change: AppliedChange): Promise<void>;

  /** Forgets a deleted task for good. `version` is that of the deletion. One round trip. */
  abstract wipe(taskId: string, version: number): Promise<void>;

  /**
   * Remembers what the store answered, each fill unless anything has changed since its token was given. One round trip,
   * or one per slot.
   */
  abstract fill(fills: readonly Fill[]): Promise<void>;
}
