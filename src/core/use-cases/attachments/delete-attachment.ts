import type { Caller } from '../../domain/caller';
import { notFound, type AttachmentRef } from '../../domain/attachment';
import { attachmentDeleted, ofStored } from '../../domain/domain-event';
import { CACHE_TIMEOUT_MS } from '../../domain/limits';
import { taskNotFound } from '../../domain/task';
import type { AttachmentDeletion, AttachmentStore, DeleteOutcome } from '../../ports/attachment-store';
import type { Clock } from '../../ports/clock';
import type { IdSource } from '../../ports/id-source';
import { StoreError } from '../../ports/store-error';
import type { AttachmentLookup, FoundAttachment } from '../../consistency/attachment-lookup';
import type { AttachmentWriter } from '../../consistency/attachment-writer';
import type { Deadline } from '../../consistency/deadline';
import { isOutage } from '../../consistency/store-outage';
import { writeVersioned } from '../../consistency/versioned-write';
import { refusedWrite } from '../../consistency/write-refusal';

export interface DeletedAttachment extends AttachmentRef {
  /** Undefined where only the journal could be asked, and what it knows of the attachment does not go so far. */
  readonly id?: string;
  readonly deletedAtMs: number;
  /** Only the journal knows of it so far. */
  readonly degraded?: true;
}

/** While the store is away: for the journal, and for the cache where the journal does not know. */
const RESERVE_MS = 2 * CACHE_TIMEOUT_MS;

/** What one call has learned from its attempts so far. */
interface Progress {
  attachmentId?: string;
  force: boolean;
  outage?: StoreError;
}

/** Deletes an attachment for good; the second deletion of a key finds nothing. */
export class DeleteAttachment {
  constructor(
    private readonly store: AttachmentStore,
    private readonly writer: AttachmentWriter,
    private readonly lookup: AttachmentLookup,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async execute({ taskId, key }: AttachmentRef, caller: Caller): Promise<DeletedAttachment> {
    const progress: Progress = { force: false };
    const outcome = await writeVersioned(this.clock, this.ids, async (stamp, nowMs, deadline) => {
      const { attachmentId, force } = progress;
      const event = attachmentDeleted({ taskId, key }, stamp, caller.name, nowMs);
      const deletion = { taskId, key, stamp, force, event: attachmentId ? ofStored(event, attachmentId) : event };
      if (!progress.outage) {
        const timeoutMs = deadline.leftMs(RESERVE_MS);
        const stored = await unlessOut(this.store.delete(deletion, caller.organization, nowMs, timeoutMs));
        if (!(stored instanceof StoreError)) return this.conclude(stored, deletion, nowMs, progress, caller, deadline);
        progress.outage = stored;
      }
      return this.deleteInJournal(deletion, caller, nowMs, progress.outage);
    });
    return { ...outcome.deleted, taskId, key };
  }

  private async conclude(
    outcome: DeleteOutcome,
    deletion: AttachmentDeletion,
    nowMs: number,
    progress: Progress,
    caller: Caller,
    deadline: Deadline,
  ) {
    if (outcome.state === 'superseded') return outcome;
    if (outcome.state === 'attachment-missing') {
      // The journal may have it.
      const found = await this.lookup.findStored(deletion, caller, deadline);
      const { id, version } = attachmentOf(found, deletion);
      progress.attachmentId = id;
      progress.force = found.journaled === true;
      return { state: 'superseded' as const, version };
    }
    if (outcome.state !== 'applied') throw refusedWrite(outcome, deletion);

    progress.attachmentId = outcome.attachmentId ?? progress.attachmentId;
    const newer = await this.writer.announce({ ...deletion, attachment: null });
    if (newer === undefined) return deleted({ id: progress.attachmentId, deletedAtMs: nowMs });
    return { state: 'superseded' as const, version: newer };
  }

  private async deleteInJournal(deletion: AttachmentDeletion, caller: Caller, nowMs: number, outage: StoreError) {
    const { organization } = caller;
    const outcome = await this.writer.append({ organization, deletion }, nowMs, outage);
    switch (outcome.state) {
      case 'journaled':
        return deleted({ id: outcome.replaced?.id, deletedAtMs: nowMs, degraded: true });
      case 'superseded':
        return outcome;
      case 'task-missing':
        throw taskNotFound(deletion.taskId);
      case 'unknown': {
        const found = await this.lookup.findWithoutStore(deletion, caller);
        if (found) attachmentOf(found, deletion);
        throw new StoreError('postgres', 'unavailable', { cause: outage });
      }
    }
  }
}

/** What the store answers, or the error while it is away. */
async function unlessOut<T>(answer: Promise<T>): Promise<T | StoreError> {
  try {
    return await answer;
  } catch (error) {
    if (isOutage(error)) return error;
    throw error;
  }
}

function deleted(deleted: Omit<DeletedAttachment, keyof AttachmentRef>) {
  return { state: 'deleted' as const, deleted };
}

function attachmentOf({ attachment, taskExists }: FoundAttachment, ref: AttachmentRef) {
  if (!taskExists) throw taskNotFound(ref.taskId);
  if (!attachment) throw notFound(ref);
  return attachment;
}
