import type { AttachmentRef } from '../../domain/attachment';
import type { Caller } from '../../domain/caller';
import type { AttachmentRemover, DeletedAttachment } from '../../consistency/attachment-remover';

/** Deletes an attachment for good; the second deletion of a key finds nothing. */
export class DeleteAttachment {
  constructor(private readonly remover: AttachmentRemover) {}

  execute(ref: AttachmentRef, caller: Caller): Promise<DeletedAttachment> {
    return this.remover.remove(ref, caller);
  }
}
