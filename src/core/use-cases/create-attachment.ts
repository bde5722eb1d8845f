import { createAttachment, type Attachment, type AttachmentDraft } from '../domain/attachment';
import { attachmentCreated } from '../domain/domain-event';
import type { Caller } from '../caller';
import { putChange, type AttachmentCache } from '../ports/attachment-cache';
import type { AttachmentStore, WriteCondition } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import type { Metrics } from '../ports/metrics';
import type { CoreSettings } from '../settings';
import { unlessCacheIsDown } from './cache-outage';
import { writeVersioned } from './versioned-write';
import { refusedWrite } from './write-refusal';

export interface CreateAttachmentCommand extends AttachmentDraft {
  readonly condition: WriteCondition;
}

/** Puts an attachment under its key, over whatever is there. PostgreSQL decides, then Redis is told. */
export class CreateAttachment {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly metrics: Metrics,
    private readonly settings: CoreSettings,
  ) {}

  async execute(
    { condition, ...draft }: CreateAttachmentCommand,
    caller: Caller,
  ): Promise<{ attachment: Attachment; replaced: boolean }> {
    const outcome = await writeVersioned(this.clock, this.ids, async (stamp, nowMs) => {
      const attachment = createAttachment(draft, {
        nowMs,
        stamp,
        idSuffix: this.ids.suffix(),
        createdBy: caller.name,
        maxBytes: this.settings.maxAttachmentBytes,
      });
      const event = attachmentCreated(attachment, this.settings.instanceId);
      const put = await this.store.put({ attachment, event }, caller.organization, condition, nowMs);
      return put.state === 'applied' ? { ...put, attachment: { ...attachment, ...put.identity } } : put;
    });
    if (outcome.state !== 'applied') throw refusedWrite(outcome, draft);

    const { attachment, replaced } = outcome;
    await unlessCacheIsDown(this.cache.apply(putChange(attachment)));
    this.metrics.attachmentCreated(attachment.type);
    return { attachment, replaced };
  }
}
