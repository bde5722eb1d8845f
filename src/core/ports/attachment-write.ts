import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { DomainEvent } from '../domain/domain-event';
import type { WriteStamp } from '../domain/version';

export interface AttachmentPut {
  readonly attachment: Attachment;
  /** Announced if the put is applied; `ofStored` when it replaces a live attachment. */
  readonly event: DomainEvent;
}

export interface AttachmentDeletion extends AttachmentRef {
  readonly stamp: WriteStamp;
  /** Leaves a tombstone also where nothing is, or is alive, so that nothing older can come back. */
  readonly force: boolean;
  /** Announced, `ofStored`, if the deletion is applied. */
  readonly event: DomainEvent;
}
