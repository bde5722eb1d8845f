import type { Caller } from '../../domain/caller';
import { createAttachment, type AttachmentDraft } from '../../domain/attachment';
import { attachmentCreated } from '../../domain/domain-event';
import type { WriteStamp } from '../../domain/version';
import type { WriteCondition } from '../../ports/attachment-store';
import type { IdSource } from '../../ports/id-source';
import type { Metrics } from '../../ports/metrics';
import type { CoreSettings } from '../../ports/core-settings';
import type { AttachmentWriter, WrittenAttachment } from '../../consistency/attachment-writer';

export interface CreateAttachmentCommand extends AttachmentDraft {
  readonly condition: WriteCondition;
}

/** Puts an attachment under its key, over whatever is there. */
export class CreateAttachment {
  constructor(
    private readonly writer: AttachmentWriter,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly settings: CoreSettings,
  ) {}

  async execute({ condition, ...draft }: CreateAttachmentCommand, caller: Caller): Promise<WrittenAttachment> {
    const put = {
      condition,
      draft: (stamp: WriteStamp, nowMs: number) => {
        const attachment = createAttachment(draft, {
          nowMs,
          stamp,
          idSuffix: this.ids.suffix(),
          createdBy: caller.name,
          maxBytes: this.settings.maxAttachmentBytes,
        });
        return { attachment, event: attachmentCreated(attachment, this.settings.instanceId) };
      },
    };
    const written = await this.writer.put(put, caller);
    this.metrics.attachmentCreated(written.attachment.type);
    return written;
  }
}
