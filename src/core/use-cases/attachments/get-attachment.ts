import type { Caller } from '../../domain/caller';
import { notFound, type Attachment, type AttachmentRef } from '../../domain/attachment';
import { taskNotFound } from '../../domain/task';
import type { Room } from '../../ports/room';
import type { AttachmentLookup } from '../../consistency/attachment-lookup';

export interface GetAttachmentResult {
  readonly attachment: Attachment;
  /** The store should have been asked, and was unavailable. */
  readonly degraded?: true;
}

export class GetAttachment {
  constructor(private readonly lookup: AttachmentLookup) {}

  async execute(ref: AttachmentRef, caller: Caller, room?: Room): Promise<GetAttachmentResult> {
    const [found] = await this.lookup.find([ref], caller, { room });
    if (!found?.taskExists) throw taskNotFound(ref.taskId);
    if (!found.attachment) throw notFound(ref);
    const { attachment, degraded } = found;
    return { attachment, degraded };
  }
}
