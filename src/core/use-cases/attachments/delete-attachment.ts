import type { AttachmentRef } from '../../domain/attachment';
import type { Caller } from '../../domain/caller';
import type { Room } from '../../ports/room';
import type { UsageByOrganization } from '../../quotas/usage-by-organization';
import type { AttachmentRemover, DeletedAttachment } from '../../consistency/attachment-remover';

export interface DeleteAttachmentCommand extends AttachmentRef {
  /** Delete only this version. */
  readonly ifVersion?: number;
}

/** Deletes an attachment for good; the second deletion of a key finds nothing. */
export class DeleteAttachment {
  constructor(
    private readonly remover: AttachmentRemover,
    private readonly usage: UsageByOrganization,
  ) {}

  async execute(
    { ifVersion, ...ref }: DeleteAttachmentCommand,
    caller: Caller,
    room?: Room,
  ): Promise<DeletedAttachment> {
    const condition = ifVersion === undefined ? undefined : { ifVersion };
    const deleted = await this.remover.remove(ref, condition, caller, room?.unshown);
    this.usage.shrunk(caller.organization);
    return deleted;
  }
}
