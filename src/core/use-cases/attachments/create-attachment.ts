import type { AttachmentDraft } from '../../domain/attachment';
import type { Caller } from '../../domain/caller';
import type { WriteCondition } from '../../ports/attachment-store';
import type { Clock } from '../../ports/clock';
import type { Metrics } from '../../ports/metrics';
import type { Room } from '../../ports/room';
import type { AttachmentFactory } from '../../consistency/attachment-factory';
import { Deadline } from '../../consistency/deadline';
import type { QuotaKeeper } from '../../quotas/quota-keeper';
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
    private readonly clock: Clock,
    private readonly quota: QuotaKeeper,
  ) {}

  async execute(
    { condition, ...draft }: CreateAttachmentCommand,
    caller: Caller,
    room?: Room,
  ): Promise<WrittenAttachment> {
    const deadline = new Deadline(this.clock);
    const put = this.factory.draft(draft, caller);
    const { taskId, key } = draft;
    const unshown = room?.unshown;
    const written = await this.quota.run(
      [{ ref: { taskId, key }, bytes: put.bytes }],
      caller,
      () => this.writer.put({ draft: put, condition, deadline, room: unshown }, caller),
      ({ replaced }) => Number(replaced),
      unshown,
    );
    this.metrics.attachmentCreated(written.attachment.type);
    return written;
  }
}
