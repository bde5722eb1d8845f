import type { Caller } from '../../domain/caller';
import { notFound, refName, type Attachment, type AttachmentRef } from '../../domain/attachment';
import type { Room } from '../../ports/room';
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

  async execute(
    { requests, allowMissing }: GetAttachmentsBatchCommand,
    caller: Caller,
    room?: Room,
  ): Promise<AttachmentBatch> {
    // Equal requests share one read, and one copy in memory.
    const refs = new Map(requests.map((ref) => [refName(ref), ref]));
    const found = await this.lookup.find([...refs.values()], caller, { room });
    room?.countRows(requests.length);
    const byName = new Map([...refs.keys()].map((name, i) => [name, found[i]?.attachment]));
    const attachments = requests.map((ref) => {
      const attachment = byName.get(refName(ref));
      if (!attachment && !allowMissing) throw notFound(ref);
      return attachment ?? null;
    });
    // They are read once, and shown as often as they were asked for.
    if (refs.size < requests.length) room?.take(attachments.reduce((sum, one) => sum + (one?.bytes ?? 0), 0));
    return { attachments, degraded: found.some(({ degraded }) => degraded) || undefined };
  }
}
