import type { Caller } from '../caller';
import { notFound, type AttachmentRef } from '../domain/attachment';
import { attachmentDeleted } from '../domain/domain-event';
import type { AttachmentCache } from '../ports/attachment-cache';
import type { AttachmentStore } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import { unlessCacheIsDown } from './cache-outage';
import { writeVersioned } from './versioned-write';
import { refusedWrite } from './write-refusal';

export interface DeletedAttachment extends AttachmentRef {
  readonly id: string;
  readonly deletedAtMs: number;
}

/** Deletes an attachment for good; the second deletion of a key finds nothing. */
export class DeleteAttachment {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async execute({ taskId, key }: AttachmentRef, caller: Caller): Promise<DeletedAttachment> {
    const outcome = await writeVersioned(this.clock, this.ids, async (stamp, nowMs) => {
      const event = attachmentDeleted({ taskId, key }, stamp, caller.name, nowMs);
      const deletion = await this.store.delete({ taskId, key, stamp, event }, caller.organization, nowMs);
      return deletion.state === 'applied' ? { ...deletion, stamp, nowMs } : deletion;
    });
    if (outcome.state === 'attachment-missing') throw notFound({ taskId, key });
    if (outcome.state !== 'applied') throw refusedWrite(outcome, { taskId, key });

    await unlessCacheIsDown(this.cache.apply({ taskId, key, stamp: outcome.stamp, attachment: null }));
    return { id: outcome.attachmentId, taskId, key, deletedAtMs: outcome.nowMs };
  }
}
