import type { Attachment, AttachmentIdentity, AttachmentRef, AttachmentType } from '../domain/attachment';
import type { DomainEvent } from '../domain/domain-event';
import type { WriteStamp } from '../domain/version';

/** Undefined: the write is unconditional. */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifVersion: number } | undefined;

export interface AttachmentPut {
  readonly attachment: Attachment;
  /** Announced if the put is applied; `ofStored` when it replaces a live attachment. */
  readonly event: DomainEvent;
}

export interface AttachmentDeletion extends AttachmentRef {
  readonly stamp: WriteStamp;
  /** Announced, `ofStored`, if the deletion is applied. */
  readonly event: DomainEvent;
}

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
  | { readonly state: 'applied'; readonly attachmentId: string };

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
 * Every method throws `StoreError`, and is one round trip.
 */
export abstract class AttachmentStore {
  /** A put over a live attachment replaces all of it but its identity. `nowMs` decides what is expired. */
  abstract put(put: AttachmentPut, organization: string, condition: WriteCondition, nowMs: number): Promise<PutOutcome>;

  abstract delete(deletion: AttachmentDeletion, organization: string, nowMs: number): Promise<DeleteOutcome>;

  /**
   * The live attachments among `refs`, in no particular order; for each task of `refs` that is there, its id in
   * `tasks`, whether or not any attachment was found.
   */
  abstract find(
    refs: readonly AttachmentRef[],
    organization: string,
    nowMs: number,
  ): Promise<{ tasks: ReadonlySet<string>; attachments: readonly Attachment[] }>;

  /**
   * One page in the order (createdAt, key by its UTF-8 bytes), and how many attachments match in all; undefined where
   * the task is missing. Without a filter its cost does not depend on how many attachments the task has.
   */
  abstract list(
    query: AttachmentListQuery,
  ): Promise<{ attachments: readonly Attachment[]; totalCount: number } | undefined>;

  /** Every live attachment of a task, in key order, without bodies; undefined where the task is missing. */
  abstract summaries(taskId: string, organization: string, nowMs: number): Promise<readonly Attachment[] | undefined>;
}
