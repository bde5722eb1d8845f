import { attachmentCreated } from '../../domain/domain-event';
import { isLive, type Attachment } from '../../domain/attachment';
import type { JournaledWrite } from '../../ports/attachment-journal';
import type { AttachmentStore } from '../../ports/attachment-store';
import type { AttachmentDeletion } from '../../ports/attachment-write';
import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import type { PutDraft } from '../../consistency/attachment-factory';
import type { AttachmentRemover } from '../../consistency/attachment-remover';
import type { AttachmentWriter } from '../../consistency/attachment-writer';

export type ReplayOutcome =
  | { readonly state: 'put'; readonly version: number; readonly replaced: boolean }
  | { readonly state: 'deleted' }
  /** Something newer was written or deleted under the key since. */
  | { readonly state: 'overtaken'; readonly version: number }
  /** Its time to live has passed. */
  | { readonly state: 'expired' };

/** Makes a write again that was acknowledged and never stored, as a new version, in the name of its author. */
export class ReplayWrite {
  constructor(
    private readonly store: AttachmentStore,
    private readonly writer: AttachmentWriter,
    private readonly remover: AttachmentRemover,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
  ) {}

  /** Throws `DomainError` and `StoreError`. */
  async execute(write: JournaledWrite): Promise<ReplayOutcome> {
    return 'put' in write
      ? this.put(write.put.attachment, write.organization)
      : this.delete(write.deletion, write.organization);
  }

  private async put(lost: Attachment, organization: string): Promise<ReplayOutcome> {
    const nowMs = this.clock.nowMs();
    if (!isLive(lost, nowMs)) return { state: 'expired' };
    const version = await this.storedVersion(lost, organization, nowMs);
    if (version > lost.version) return { state: 'overtaken', version };
    const draft: PutDraft = (stamp, updatedAtMs) => {
      const attachment = { ...lost, ...stamp, updatedAtMs };
      return { attachment, event: attachmentCreated(attachment, this.settings.instanceId) };
    };
    const caller = { organization, name: lost.createdBy };
    const { attachment, replaced } = await this.writer.put({ draft }, caller);
    return { state: 'put', version: attachment.version, replaced };
  }

  private async delete(lost: AttachmentDeletion, organization: string): Promise<ReplayOutcome> {
    const version = await this.storedVersion(lost, organization, this.clock.nowMs());
    if (version > lost.stamp.version) return { state: 'overtaken', version };
    await this.remover.remove(lost, undefined, { organization, name: String(lost.event.metadata['deletedBy']) });
    return { state: 'deleted' };
  }

  /** That of a tombstone, too; 0 if the store has nothing. */
  private async storedVersion({ taskId, key }: { taskId: string; key: string }, organization: string, nowMs: number) {
    const { found } = await this.store.find([{ taskId, key }], organization, nowMs, OPERATION_TIMEOUT_MS);
    return found[0]?.version ?? 0;
  }
}
