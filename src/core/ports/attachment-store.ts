import type { Attachment, AttachmentIdentity, AttachmentRef } from '../domain/attachment';
import type { ListFilter } from '../domain/list-order';
import type { DrainDelay, DrainOutcome, JournaledWrite } from './attachment-journal';
import type { Room } from './room';
import type { AttachmentDeletion, AttachmentPut } from './attachment-write';

/** Undefined: the write is unconditional. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifVersion: number } | undefined;

/** Why a write changed nothing at all. */
export type WriteRefusal =
  | { readonly state: 'task-missing' }
  /** A version that is not lower than that of the write is there, perhaps that of a tombstone. */
  | { readonly state: 'superseded'; readonly version: number }
  /** The condition does not hold; the version of the live attachment, null if there is none. */
  | { readonly state: 'condition-failed'; readonly currentVersion: number | null }
  /** The task already has as many attachments as a task may have. */
  | { readonly state: 'task-full' };

export type PutOutcome =
  WriteRefusal | { readonly state: 'applied'; readonly identity: AttachmentIdentity; readonly replaced: boolean };

export type DeleteOutcome =
  | WriteRefusal
  | { readonly state: 'attachment-missing' }
  /** The id is undefined if there was no live attachment. */
  | { readonly state: 'applied'; readonly attachmentId?: string };

/** What is kept under a key: an attachment or, if it was deleted or has expired, its version alone. */
export interface StoredAttachment extends AttachmentRef {
  readonly version: number;
  /** Undefined unless it is live. */
  readonly attachment?: Attachment;
}

export interface AttachmentListQuery extends ListFilter {
  readonly taskId: string;
  readonly organization: string;
  readonly limit: number;
  readonly offset: number;
  readonly descending: boolean;
  /** If false, outlines are returned. */
  readonly includeBodies: boolean;
  readonly nowMs: number;
  /** For the bodies; undefined for any size. */
  readonly room?: Room;
}

export interface OutlinesQuery {
  readonly taskId: string;
  readonly organization: string;
  readonly nowMs: number;
  /** Those with higher keys; undefined for all. */
  readonly after?: string;
  /** Undefined for any number. */
  readonly limit?: number;
  readonly room?: Room;
}

/**
 * The durable truth about attachments. A write that is applied is durable, together with its event, when the call
 * returns; a write that is refused has left nothing behind. Writes are ordered by version, whatever the order in which
 * they arrive: a write with a lower version than what is there, or was deleted there, is superseded. An expired
 * attachment counts as absent. A task that is deleted, or that belongs to another organisation, counts as missing.
 *
 * Every method throws `StoreError`, within `timeoutMs`, and is one round trip; a read whose bodies are larger than
 * its room guessed is two. Puts that come at the same time may share a round trip and a transaction. A write that timed
 * out may still take effect; a statement that timed out is left running only for other puts that share it.
 */
export abstract class AttachmentStore {
  /** A put over a live attachment replaces all of it but its identity. What has expired is judged by `nowMs`. */
  abstract put(
    put: AttachmentPut,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<PutOutcome>;

  /** A condition is judged first: if it does not hold, a missing attachment is no reason of its own. */
  abstract delete(
    deletion: AttachmentDeletion,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<DeleteOutcome>;

  /**
   * Applies writes that the journal has acknowledged, those of one key in their order, each as of the time of its
   * event: no limit, and no expiry since then, refuses it. Its event is recorded once, however often it is drained,
   * even if something newer has overtaken it; of a deleted task nothing is announced. The outcomes are in the order of
   * the writes. If this throws, none is applied. `StoreError` `refused`: the store will never take one of them.
   */
  abstract drain(writes: readonly JournaledWrite[]): Promise<readonly (DrainOutcome | DrainDelay)[]>;

  /**
   * What is kept under `refs`, in no particular order; `tasks` has the id of each task of `refs` that exists, whether
   * or not anything of it was found.
   */
  abstract find(
    refs: readonly AttachmentRef[],
    organization: string,
    nowMs: number,
    timeoutMs: number,
    room?: Room,
  ): Promise<{ tasks: ReadonlySet<string>; found: readonly StoredAttachment[] }>;

  /**
   * One page in the list order (`inListOrder`), and how many attachments match in all; undefined if the task is
   * missing. Without a filter the cost does not depend on how many attachments the task has.
   */
  abstract list(
    query: AttachmentListQuery,
    timeoutMs: number,
  ): Promise<{ attachments: readonly Attachment[]; totalCount: number } | undefined>;

  /** The outlines of live attachments of a task, in the order of their keys; undefined if the task is missing. */
  abstract outlines(query: OutlinesQuery, timeoutMs: number): Promise<readonly Attachment[] | undefined>;
}
