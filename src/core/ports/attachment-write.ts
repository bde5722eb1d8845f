import type { Attachment, AttachmentRef } from '../domain/attachment';
import type { DomainEvent } from '../domain/domain-event';
import type { WriteStamp } from '../domain/version';

export interface AttachmentPut {
  readonly attachment: Attachment;
  /** Announced if the put is applied; `ofStored` if it replaces a live attachment. */
  readonly event: DomainEvent;
}

export interface AttachmentDeletion extends AttachmentRef {
  readonly stamp: WriteStamp;
  /** Leaves a tombstone even if there is no live attachment, so that nothing older can come back. */
  readonly force: boolean;
  /** Announced, `ofStored`, if the deletion is applied. */
  readonly event: DomainEvent;
}
