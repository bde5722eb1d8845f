import { notFound, type Attachment, type AttachmentRef } from '../domain/attachment';
import type { Caller } from '../domain/caller';
import { attachmentDeleted, causedBy, ofStored } from '../domain/domain-event';
import { taskNotFound } from '../domain/task';
import type { AttachmentStore, DeleteOutcome, WriteCondition } from '../ports/attachment-store';
import type { AttachmentDeletion } from '../ports/attachment-write';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import type { Room } from '../ports/room';
import { isOutage, StoreError } from '../ports/store-error';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import type { AttachmentLookup, FoundAttachment } from './attachment-lookup';
import type { AttachmentWriter } from './attachment-writer';
import type { Deadline } from './deadline';
import { refusedWrite } from './refused-write';
import { Overtaken, writeVersioned } from './write-versioned';

export interface DeletedAttachment extends AttachmentRef {
  /** Undefined if only the journal could be asked, and it does not know the id. */
  readonly id?: string;
  readonly deletedAtMs: number;
  /** Only the journal knows of the deletion so far. */
  readonly degraded?: true;
}

/** While the store is unavailable: for the journal, and for the cache if the journal does not know. */
const RESERVE_MS = 2 * CACHE_TIMEOUT_MS;

/** What one call has learned from its attempts so far. */
interface Progress {
  readonly condition: WriteCondition;
  readonly room?: Room;
  attachmentId?: string;
  outage?: StoreError;
}

/** Deletes from the store and then from the cache; while the store is unavailable, in the journal. */
export class AttachmentRemover {
  constructor(
    private readonly store: AttachmentStore,
    private readonly writer: AttachmentWriter,
    private readonly lookup: AttachmentLookup,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  /** `room` is for what is read to judge the deletion. Throws `DomainError` and `StoreError`. */
  async remove(
    { taskId, key }: AttachmentRef,
    condition: WriteCondition,
    caller: Caller,
    room?: Room,
  ): Promise<DeletedAttachment> {
    const progress: Progress = { condition, room };
    return writeVersioned<DeletedAttachment>(this.clock, this.ids, async (stamp, nowMs, deadline) => {
      const { attachmentId } = progress;
      const event = causedBy(attachmentDeleted({ taskId, key }, stamp, caller.name, nowMs), caller);
      const deletion = { taskId, key, stamp, event: attachmentId ? ofStored(event, attachmentId) : event };
      if (!progress.outage) {
        const over = await this.writer.journaledState(deletion, caller, room);
        const timeoutMs = deadline.leftMs(RESERVE_MS);
        const asked = { over, ...deletion };
        const stored = await orOutage(this.store.delete(asked, caller.organization, condition, nowMs, timeoutMs));
        if (!(stored instanceof StoreError)) return this.conclude(stored, deletion, nowMs, progress, caller, deadline);
        // Only the store can judge a condition.
        if (condition) throw stored;
        progress.outage = stored;
      }
      return this.deleteInJournal(deletion, caller, nowMs, progress.outage, room);
    });
  }

  private async conclude(
    outcome: DeleteOutcome,
    deletion: AttachmentDeletion,
    nowMs: number,
    progress: Progress,
    caller: Caller,
    deadline: Deadline,
  ): Promise<DeletedAttachment | Overtaken> {
    if (outcome.state === 'superseded') return new Overtaken(outcome.version);
    if (outcome.state === 'attachment-missing') {
      // The journal may have it, and this replica may not have noticed yet that entries wait.
      const found = await this.lookup.findStored(deletion, caller, deadline, progress.room);
      const { id, version } = attachmentOf(found, deletion);
      progress.attachmentId = id;
      return new Overtaken(version);
    }
    if (outcome.state !== 'applied') throw refusedWrite(outcome, deletion);

    progress.attachmentId = outcome.attachmentId ?? progress.attachmentId;
    const newer = await this.writer.announce({ attachment: null, ...deletion }, caller);
    if (newer !== undefined) {
      if (progress.condition) throw refusedWrite({ state: 'condition-failed', currentVersion: newer }, deletion);
      return new Overtaken(newer);
    }
    const { taskId, key } = deletion;
    return { id: progress.attachmentId, taskId, key, deletedAtMs: nowMs };
  }

  private async deleteInJournal(
    deletion: AttachmentDeletion,
    caller: Caller,
    nowMs: number,
    outage: StoreError,
    room?: Room,
  ): Promise<DeletedAttachment | Overtaken> {
    const { organization } = caller;
    const outcome = await this.writer.append({ organization, deletion }, nowMs, outage);
    if (outcome.state === 'superseded') return new Overtaken(outcome.version);
    if (outcome.state === 'unknown') {
      const found = await this.lookup.findWithoutStore(deletion, caller, room);
      if (found) attachmentOf(found, deletion);
      throw new StoreError('postgres', 'unavailable', { cause: outage });
    }
    const { taskId, key } = deletion;
    return { id: outcome.replaced?.id, taskId, key, deletedAtMs: nowMs, degraded: true };
  }
}

/** The reply of the store, or the error if the store is unavailable. */
async function orOutage<T>(reply: Promise<T>): Promise<T | StoreError> {
  try {
    return await reply;
  } catch (error) {
    if (isOutage(error)) return error;
    throw error;
  }
}

/** Throws `DomainError` if the attachment or its task is missing. */
function attachmentOf({ attachment, taskExists }: FoundAttachment, ref: AttachmentRef): Attachment {
  if (!taskExists) throw taskNotFound(ref.taskId);
  if (!attachment) throw notFound(ref);
  return attachment;
}
