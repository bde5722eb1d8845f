import type { Caller } from '../domain/caller';
import { checkDraft, createAttachment, type AttachmentDraft } from '../domain/attachment';
import { attachmentCreated, causedBy } from '../domain/domain-event';
import type { WriteStamp } from '../domain/version';
import type { AttachmentPut } from '../ports/attachment-write';
import type { CoreSettings } from '../ports/core-settings';
import type { IdSource } from '../ports/id-source';

/** Makes the put for one attempt to write. */
export interface PutDraft {
  (stamp: WriteStamp, nowMs: number): AttachmentPut;
}

/** Of a body that was measured. */
export interface MeasuredDraft extends PutDraft {
  /** Of the value or the content; 0 without either. */
  readonly bytes: number;
}

/** Makes attachments, each with the event that announces it. */
export class AttachmentFactory {
  constructor(
    private readonly ids: IdSource,
    private readonly settings: CoreSettings,
  ) {}

  /** Checks and measures the draft once, however many attempts follow. Throws `DomainError`. */
  draft(draft: AttachmentDraft, caller: Caller): MeasuredDraft {
    const checked = checkDraft(draft, this.settings.maxAttachmentBytes);
    const put: PutDraft = (stamp, nowMs) => {
      const attachment = createAttachment(checked, {
        nowMs,
        stamp,
        idSuffix: this.ids.suffix(),
        createdBy: caller.name,
      });
      return { attachment, event: causedBy(attachmentCreated(attachment, this.settings.instanceId), caller) };
    };
    return Object.assign(put, { bytes: checked.bytes ?? 0 });
  }
}
