import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { DomainEvent } from '../domain/domain-event';
import type { WriteStamp } from '../domain/version';

/** What the journal holds under a key, and the store may not have yet. */
export interface JournaledState {
  readonly version: number;
  /** Undefined for a deletion. */
  readonly attachment?: Attachment;
}

export interface AttachmentPut {
  readonly attachment: Attachment;
  /** The write is judged by this, if it is newer than what the store has. */
  readonly over?: JournaledState;
  /** Announced if the put is applied; `ofStored` if it replaces a live attachment. */
  readonly event: DomainEvent;
}

export interface AttachmentDeletion extends AttachmentRef {
  readonly stamp: WriteStamp;
  /** As in `AttachmentPut`. */
  readonly over?: JournaledState;
  /** Announced, `ofStored`, if the deletion is applied. */
  readonly event: DomainEvent;
}
