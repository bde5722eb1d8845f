import type { AttachmentDraft } from '../../domain/attachment';
import type { Caller } from '../../domain/caller';
import type { WriteCondition } from '../../ports/attachment-store';
import type { Metrics } from '../../ports/metrics';
import type { Room } from '../../ports/room';
import type { AttachmentFactory } from '../../consistency/attachment-factory';
import type { AttachmentWriter, WrittenAttachment } from '../../consistency/attachment-writer';

export interface CreateAttachmentCommand extends AttachmentDraft {
  readonly condition: WriteCondition;
}

/** Puts an attachment under its key, over whatever is there. */
export class CreateAttachment {
  constructor(
    private readonly factory: AttachmentFactory,
    private readonly writer: AttachmentWriter,
    private readonly metrics: Metrics,
  ) {}

  async execute(
    { condition, ...draft }: CreateAttachmentCommand,
    caller: Caller,
    room?: Room,
  ): Promise<WrittenAttachment> {
    const put = { draft: this.factory.draft(draft, caller), condition, room: room?.unshown };
    const written = await this.writer.put(put, caller);
    this.metrics.attachmentCreated(written.attachment.type);
    return written;
  }
}
