import { isLive, type Attachment } from '../../domain/attachment';
import { attachmentCreated } from '../../domain/domain-event';
import { putChange } from '../../ports/attachment-cache';
import type { AttachmentStore } from '../../ports/attachment-store';
import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import type { AttachmentWriter } from '../../consistency/attachment-writer';

export type ImportedAttachment =
  | 'imported'
  /** This version is there already: an earlier import, or the attachment itself. */
  | 'present'
  /** Something newer was written or deleted under the key. */
  | 'overtaken'
  /** Its time to live has passed. */
  | 'expired'
  | 'task-missing'
  | 'task-full';

/**
 * Puts an attachment that was exported elsewhere into the store, with its version, its times and its author. To the
 * store it is a write that comes late: it changes nothing if anything newer stands under the key.
 */
export class ImportAttachment {
  constructor(
    private readonly store: AttachmentStore,
    private readonly writer: AttachmentWriter,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
  ) {}

  /** Throws `StoreError`. */
  async execute(attachment: Attachment, organization: string): Promise<ImportedAttachment> {
    const nowMs = this.clock.nowMs();
    if (!isLive(attachment, nowMs)) return 'expired';
    const caller = { organization, name: attachment.createdBy };
    const over = await this.writer.journaledState(attachment, caller);
    const put = { attachment, over, event: attachmentCreated(attachment, this.settings.instanceId) };
    const outcome = await this.store.put(put, organization, undefined, nowMs, OPERATION_TIMEOUT_MS);
    if (outcome.state === 'superseded') return outcome.version === attachment.version ? 'present' : 'overtaken';
    if (outcome.state === 'applied') {
      const newer = await this.writer.announce(putChange({ ...attachment, ...outcome.identity }), caller);
      return newer === undefined ? 'imported' : 'overtaken';
    }
    // Without a condition none can fail.
    return outcome.state === 'task-full' ? 'task-full' : 'task-missing';
  }
}
