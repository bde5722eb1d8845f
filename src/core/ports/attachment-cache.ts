import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { WriteStamp } from '../domain/version';
import type { OutboxChange } from './outbox';
import type { Room } from './room';
import type { EndedEpochs, StoreIdentity } from './store-identity';

/** Permission to fill in what a later read of the store returns; void as soon as anything has changed. */
export interface FillToken {
  /** The version that a put must exceed if nothing is known of its key. */
  readonly floor: number;
  /**
   * A new connection to the cache begins a new generation, and so does a new epoch. What was read in one generation
   * must not be filled in another.
   */
  readonly generation: number;
}

/** What the cache knows of one task at the moment of a read. */
export interface CachedTask {
  readonly token: FillToken;
  /** The outbox position up to which the cache has been brought; 0 if that is not known. */
  readonly cursor: number;
  /** Undefined unless the task is known to exist. */
  readonly organization?: string;
  /** The task is known to be deleted: nothing of it may be shown. */
  readonly deleted: boolean;
}

export interface CachedAttachment extends CachedTask {
  /**
   * Undefined means not known, never that there is none. An expired one is returned: the reader judges by its own
   * clock.
   */
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
    /** In the order asked for; `attachment` is undefined if its body has been lost. */
    readonly entries: readonly { readonly key: string; readonly attachment?: Attachment }[];
  };
  /** Of the whole task, in no particular order; undefined if there are any and a page was asked for. */
  readonly journaled?: readonly JournaledChange[];
}

/** A change that the caller knows to have been made. */
export interface KnownChange {
  readonly key: string;
  readonly version: number;
  readonly deleted: boolean;
}

export interface PageRequest {
  readonly taskId: string;
  readonly organization: string;
  readonly nowMs: number;
  /** For the bodies of the page, or for the journaled changes; undefined for any size. */
  readonly room?: Room;
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
  /** As the store returned them; they may be outlines only if `withBodies` is false. */
  readonly attachments: readonly Attachment[];
  readonly withBodies: boolean;
  /** These, with all that was filled under the same token, are every live attachment of the task. */
  readonly complete: boolean;
  /**
   * The task was created after the token was given, under an id that no task has ever had. So nothing of it had been
   * forgotten before, and whatever is written to it from now on is new.
   */
  readonly isNewTask?: boolean;
}

/** Parts of the cache that have been brought to the same outbox position. */
export interface ProjectionCursor {
  /** Undefined if that is not known. */
  readonly position?: number;
  /** As in `FillToken`. */
  readonly generation: number;
  /** The names of the parts, which mean something to the adapter alone. */
  readonly parts: readonly number[];
  /** Undefined as long as the parts belong to no database. */
  readonly owner?: CacheOwner;
}

/** Which database a part of the cache belongs to. What was cached in another epoch of it is not known. */
export interface CacheOwner extends Pick<StoreIdentity, 'databaseId' | 'epoch'> {
  /** Whether a replica that has the same address for the store has entered. */
  readonly isFamiliar: boolean;
}

/** The present epoch of a store, as a replica claims it. */
export interface EpochClaim extends Pick<StoreIdentity, 'databaseId' | 'epoch'> {
  /** Epochs that the replica has seen end. */
  readonly ended: EndedEpochs;
}

/**
 * - `entered`: the parts are in the epoch that was claimed.
 * - `ended`: they have been in it, and are in a later one.
 * - `unknown`: they are in another epoch of the same database, and a replica that is in it was heard of lately.
 * - `other-database`: they belong to another database.
 */
export type EpochVerdict = 'entered' | 'ended' | 'unknown' | 'other-database';

/** A replica of the present epoch that has not projected for so long counts as gone. */
export const EPOCH_SILENCE_MS = 10_000;

/**
 * Replies faster than the store, and may forget anything at any time, in part or as a whole; it keeps only what the
 * journal has and the store has not. It never says that an attachment does not exist, never goes back to an older
 * version than it has been told of, and pages in the same order as the store. What it cannot read is not known. An
 * attachment of a task of another organisation than that of the caller is not known either: the time of a response must
 * not show that there is something to read.
 *
 * Every method throws `StoreError`, within `CACHE_TIMEOUT_MS`; a change or fill that failed may or may not have taken
 * effect, then or later.
 */
export abstract class AttachmentCache {
  /**
   * In the order of `refs`. One round trip, or one per slot if the cache is split into slots, and one more if the
   * bodies are larger than `room` guessed.
   */
  abstract read(
    refs: readonly AttachmentRef[],
    organization: string,
    room?: Room,
  ): Promise<readonly CachedAttachment[]>;

  /** What is known of a task, without any attachment. One round trip. */
  abstract readTask(taskId: string): Promise<CachedTask>;

  /** At most two round trips, whatever the number of attachments; more if journaled changes come in while it reads. */
  abstract readPage(request: PageRequest): Promise<CachedPage>;

  /** One round trip. Until the cache is told of a change, it may return what was there before. */
  abstract apply(change: AppliedChange): Promise<AppliedReply>;

  /** Forgets a deleted task for good. `version` is that of the deletion. One round trip. */
  abstract wipe(taskId: string, version: number): Promise<void>;

  /**
   * Remembers what the store returned, but drops a fill if anything has changed since its token was given, or if the
   * generation has ended. For every 500 attachments one round trip, or one per slot, and the time of one call.
   */
  abstract fill(fills: readonly Fill[]): Promise<void>;

  /**
   * How far the cache, or the given parts, have been brought. Empty if it need not be brought anywhere: it is told of
   * every change. One round trip. A part that does not reply is left out, unless none does.
   */
  abstract cursors(parts?: readonly number[]): Promise<readonly ProjectionCursor[]>;

  /**
   * Forgets what is older than the changes, and moves the cursor to the outbox position `to`; does nothing if the
   * cursor has been moved since it was read. `changes` are all changes from the cursor to `to`; every 1,000 of them may
   * take the time of one call. Also shows that a replica is in the present epoch.
   */
  abstract project(cursor: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void>;

  /**
   * Brings the parts into the epoch that is claimed, if they may enter it: they belong to no database, or to this one
   * and the replica has seen their epoch end, or no replica of their epoch has projected for `EPOCH_SILENCE_MS`. Then
   * nothing is known, but for what the journal has. The worst verdict of all parts.
   */
  abstract enter(parts: readonly number[], claim: EpochClaim): Promise<EpochVerdict>;
}
