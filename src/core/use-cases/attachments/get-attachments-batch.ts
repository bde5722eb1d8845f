import type { Caller } from '../../domain/caller';
import { notFound, type Attachment, type AttachmentRef } from '../../domain/attachment';
import type { AttachmentLookup } from '../../consistency/attachment-lookup';

export interface GetAttachmentsBatchCommand {
  readonly requests: readonly AttachmentRef[];
  /** Puts null in the place of a missing attachment; otherwise the first missing one fails the whole call. */
  readonly allowMissing: boolean;
}

export interface AttachmentBatch {
  /** Null stands for a missing attachment. */
  readonly attachments: readonly (Attachment | null)[];
  /** For some of them the store should have been asked, and was unavailable. */
  readonly degraded?: true;
}

/** An attachment of a missing task is a missing attachment. */
export class GetAttachmentsBatch {
  constructor(private readonly lookup: AttachmentLookup) {}

  async execute({ requests, allowMissing }: GetAttachmentsBatchCommand, caller: Caller): Promise<AttachmentBatch> {
    const found = await this.lookup.find(requests, caller);
    const attachments = requests.map((ref, i) => {
      const attachment = found[i]?.attachment;
      if (!attachment && !allowMissing) throw notFound(ref);
      return attachment ?? null;
    });
    return { attachments, degraded: found.some(({ degraded }) => degraded) || undefined };
  }
}
