import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { WriteStamp } from '../domain/version';
import type { OutboxChange } from './outbox';

/** Permission to fill what the store answers to a read that begins after this one; void once anything has changed. */
export interface FillToken {
  /** The version that a put must exceed where nothing is known of its key. */
  readonly floor: number;
  /** The connection to the cache that answered: they are counted, and what one has read must not be filled through another. */
  readonly generation: number;
}

/** What the cache knows of one task at the moment of a read. */
export interface CachedTask {
  readonly token: FillToken;
  /** The outbox position up to which the cache has been brought; 0 where that is not known. */
  readonly cursor: number;
  /** Known where the task is known to exist. */
  readonly organization?: string;
  /** The task is known to be deleted: nothing of it may be answered. */
  readonly deleted: boolean;
}

export interface CachedAttachment extends CachedTask {
  /** Undefined is "not known", never "not there". Expired ones are returned: the reader judges by its own clock. */
  readonly attachment?: Attachment;
  /** The version of a journaled deletion, which the store may not know of yet. */
  readonly deletedVersion?: number;
  /** Whether `attachment` or `deletedVersion` was acknowledged by the journal and the store may not know of it yet. */
  readonly journaled: boolean;
}

/** A change of one key that the store may not know of yet. */
export interface JournaledChange {
  readonly key: string;
  readonly version: number;
  /** Without `value` and `content`; null for a deletion. */
  readonly attachment: Attachment | null;
}

export interface CachedPage extends CachedTask {
  /** Undefined unless it was asked for and the cache knows every live attachment of the task. */
  readonly page?: {
    readonly totalCount: number;
    /** In the order asked for; `attachment` is undefined where its body has been lost. */
    readonly entries: readonly { readonly key: string; readonly attachment?: Attachment }[];
  };
  /** Of the whole task, in no particular order; undefined where there are some and a page was asked for. */
  readonly journaled?: readonly JournaledChange[];
}

/** A change of which the asker knows that it was made. */
export interface KnownChange {
  readonly key: string;
  readonly version: number;
  readonly deleted: boolean;
}

export interface PageRequest {
  readonly taskId: string;
  readonly organization: string;
  readonly nowMs: number;
  /** Undefined asks for the journaled changes alone. */
  readonly page?: {
    readonly limit: number;
    readonly offset: number;
    readonly descending: boolean;
    readonly includeBodies: boolean;
    /** There is no page unless each of these, or something newer under its key, is in it. */
    readonly known: readonly KnownChange[];
  };
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

export interface AppliedReply {
  /** The version of a journaled write, drained or not, that will undo the change or has undone it: it is newer. */
  readonly newer?: number;
  /** As in `FillToken`. */
  readonly generation: number;
}

export interface Fill {
  readonly taskId: string;
  readonly organization: string;
  readonly token: FillToken;
  /** As the store answered them; without bodies only where `withBodies` is false. */
  readonly attachments: readonly Attachment[];
  readonly withBodies: boolean;
  /** These, with all that was filled under the same token, are every live attachment of the task. */
  readonly complete: boolean;
}

/** Parts of the cache that have been brought to the same outbox position. */
export interface ProjectionCursor {
  /** Undefined where that is not known. */
  readonly position?: number;
  /** As in `FillToken`. */
  readonly generation: number;
  /** What the adapter knows the parts by. */
  readonly parts: readonly number[];
}

/**
 * Answers faster than the store, and may forget anything at any time, in part or whole; only what the journal has and
 * the store has not, it keeps. It never says that an attachment does not exist, never goes back to an older version than
 * it has been told of, and pages in the same order as the store. What it cannot make sense of is "not known", and so is
 * every attachment of a task of another organisation than the one that asks: nobody is to see by the time of an answer
 * that there is something to read.
 *
 * Every method throws `StoreError`, within `CACHE_TIMEOUT_MS`; a change or fill that failed may or may not have taken
 * effect, then or later.
 */
export abstract class AttachmentCache {
  /** In the order of `refs`. One round trip, or one per slot where the cache is split into slots. */
  abstract read(refs: readonly AttachmentRef[], organization: string): Promise<readonly CachedAttachment[]>;

  /** What is known of a task, without any attachment. One round trip. */
  abstract readTask(taskId: string): Promise<CachedTask>;

  /** At most two round trips, whatever the number of attachments. */
  abstract readPage(request: PageRequest): Promise<CachedPage>;

  /** One round trip. Until told of a change, the cache may answer what was there before it. */
  abstract apply(change: AppliedChange): Promise<AppliedReply>;

  /** Forgets a deleted task for good. `version` is that of the deletion. One round trip. */
  abstract wipe(taskId: string, version: number): Promise<void>;

  /**
   * Remembers what the store answered, each fill unless anything has changed since its token was given, or the generation
   * has ended. For every 500 attachments one round trip, or one per slot, and the time of one call.
   */
  abstract fill(fills: readonly Fill[]): Promise<void>;

  /** Up to where the cache has been brought. Empty where it has no need of it: nothing changes behind its back. */
  abstract cursors(): Promise<readonly ProjectionCursor[]>;

  /**
   * Forgets what is older than the changes, and brings the cursor to the outbox position `to`; does nothing where the
   * cursor has been moved since it was read. `changes` are all from the cursor to `to`; every 1,000 of them may take the
   * time of one call.
   */
  abstract project(cursor: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void>;
}
