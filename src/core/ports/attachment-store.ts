import type { Attachment, AttachmentIdentity, AttachmentRef, AttachmentType } from '../domain/attachment';
import type { DrainOutcome, JournaledWrite } from './attachment-journal';
import type { AttachmentDeletion, AttachmentPut } from './attachment-write';

/** Undefined: the write is unconditional. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifVersion: number } | undefined;

/** Why a write changed nothing at all. */
export type WriteRefusal =
  | { readonly state: 'task-missing' }
  /** A version that is not lower than the write's stands there (a tombstone's, perhaps). */
  | { readonly state: 'superseded'; readonly version: number }
  /** The condition does not hold; the version of the live attachment, null where there is none. */
  | { readonly state: 'condition-failed'; readonly currentVersion: number | null }
  /** The task has as many attachments as a task may have. */
  | { readonly state: 'task-full' };

export type PutOutcome =
  WriteRefusal | { readonly state: 'applied'; readonly identity: AttachmentIdentity; readonly replaced: boolean };

export type DeleteOutcome =
  | WriteRefusal
  | { readonly state: 'attachment-missing' }
  /** The id is undefined where nothing was alive. */
  | { readonly state: 'applied'; readonly attachmentId?: string };

/** What is kept under a key: an attachment, or of one that was deleted or has expired the version alone. */
export interface StoredAttachment extends AttachmentRef {
  readonly version: number;
  /** Undefined unless it is alive. */
  readonly attachment?: Attachment;
}

export interface AttachmentListQuery {
  readonly taskId: string;
  readonly organization: string;
  readonly type?: AttachmentType;
  /** Empty lets every key through. */
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
  readonly descending: boolean;
  /** False leaves out `value` and `content`. */
  readonly includeBodies: boolean;
  readonly nowMs: number;
}

/**
 * The durable truth about attachments. A write that is applied is durable, together with its event, when the call
 * returns; a write that is refused has left nothing behind. Writes are ordered by version, whatever the order in which
 * they arrive: one with a lower version than what is there, or was deleted there, is superseded. An expired attachment
 * counts as absent. A task that is deleted, or that belongs to another organisation, counts as missing.
 *
 * Every method throws `StoreError`, within `timeoutMs`, and is one round trip. A write that timed out may still take
 * effect; a statement that timed out is not left running.
 */
export abstract class AttachmentStore {
  /** A put over a live attachment replaces all of it but its identity. `nowMs` decides what is expired. */
  abstract put(
    put: AttachmentPut,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<PutOutcome>;

  abstract delete(
    deletion: AttachmentDeletion,
    organization: string,
    nowMs: number,
    timeoutMs: number,
  ): Promise<DeleteOutcome>;

  /**
   * Catches up on a write that the journal has acknowledged, as of the time of its event: no limit and no expiry since
   * refuses it. Its event is recorded once, however often it is drained, also where something newer has overtaken it;
   * of a deleted task nothing is announced. `StoreError` `refused`: it will never be taken.
   */
  abstract drain(write: JournaledWrite): Promise<DrainOutcome>;

  /**
   * What is kept under `refs`, in no particular order; for each task of `refs` that is there, its id in `tasks`, whether
   * or not anything was found.
   */
  abstract find(
    refs: readonly AttachmentRef[],
    organization: string,
    nowMs: number,
    timeoutMs: number,
  ): Promise<{ tasks: ReadonlySet<string>; found: readonly StoredAttachment[] }>;

  /**
   * One page in the order (createdAt, key by its UTF-8 bytes), and how many attachments match in all; undefined where
   * the task is missing. Without a filter its cost does not depend on how many attachments the task has.
   */
  abstract list(
    query: AttachmentListQuery,
    timeoutMs: number,
  ): Promise<{ attachments: readonly Attachment[]; totalCount: number } | undefined>;

  /** Every live attachment of a task, in key order, without bodies; undefined where the task is missing. */
  abstract outlines(
    taskId: string,
    organization: string,
    nowMs: number,
    timeoutMs: number,
  ): Promise<readonly Attachment[] | undefined>;
}
