import type { Caller } from '../domain/caller';
import type { Attachment, AttachmentIdentity } from '../domain/attachment';
import { CACHE_TIMEOUT_MS } from '../domain/limits';
import type { WriteStamp } from '../domain/version';
import { putChange, type AppliedChange, type AttachmentCache } from '../ports/attachment-cache';
import type { AttachmentJournal } from '../ports/attachment-journal';
import type { AttachmentPut, AttachmentStore, JournaledWrite, WriteCondition } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import { StoreError } from '../ports/store-error';
import type { Deadline } from './deadline';
import type { ReplicaMemory } from './replica-memory';
import { isOutage, unlessCacheIsDown } from './store-outage';
import { writeVersioned } from './versioned-write';
import { refusedWrite } from './write-refusal';

export interface PutCommand {
  /** Made anew for every attempt. */
  readonly draft: (stamp: WriteStamp, nowMs: number) => AttachmentPut;
  readonly condition?: WriteCondition;
  /** A version that this put has to exceed. */
  readonly floor?: number;
  readonly deadline?: Deadline;
}

export interface WrittenAttachment {
  readonly attachment: Attachment;
  readonly replaced: boolean;
  /** Only the journal has it so far. */
  readonly degraded?: true;
}

/**
 * Writes to the store and then to the cache; while the store is away, to the journal. All are offered the same version,
 * so that whatever takes effect late comes too late.
 */
export class AttachmentWriter {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly journal: AttachmentJournal,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly memory: ReplicaMemory,
  ) {}

  /** Puts an attachment over whatever is there. Throws `DomainError` and `StoreError`. */
  async put({ draft, condition, floor, deadline }: PutCommand, caller: Caller): Promise<WrittenAttachment> {
    let outage: StoreError | undefined;
    const attempt = async (stamp: WriteStamp, nowMs: number, left: Deadline) => {
      const put = draft(stamp, nowMs);
      if (outage) return this.putInJournal(put, caller, nowMs, outage);
      const timeoutMs = left.leftMs(CACHE_TIMEOUT_MS);
      try {
        return await this.putInStore(put, caller, condition, nowMs, timeoutMs);
      } catch (error) {
        // A condition can only be judged by the store.
        if (condition || !isOutage(error)) throw error;
        outage = error;
        return this.putInJournal(put, caller, nowMs, error);
      }
    };
    const outcome = await writeVersioned(this.clock, this.ids, attempt, { floor, deadline });
    if (outcome.state !== 'applied') throw refusedWrite(outcome.refusal, outcome.ref);
    return outcome.written;
  }

  /**
   * Tells the cache of a change that the store has applied. The answer is the version of a journaled write that will
   * undo the change, or has undone it: then it must be made again, above that version. Otherwise it may be acknowledged.
   */
  async announce(change: AppliedChange): Promise<number | undefined> {
    const reply = await unlessCacheIsDown(this.cache.apply(change));
    if (reply?.newer !== undefined) return reply.newer;
    const { stamp, attachment } = change;
    const { version } = stamp;
    this.memory.remember(change, { version, deleted: !attachment, journaled: false }, reply?.generation);
    return undefined;
  }

  /** Leaves a write to the journal; `unknown` where the journal cannot judge it. Throws where it is away, too. */
  async append(write: JournaledWrite, nowMs: number, outage: StoreError) {
    const ref = 'put' in write ? write.put.attachment : write.deletion;
    // The cache may not have been told: the write would be acknowledged, and go when the store is back.
    if (this.memory.isDeleted(ref.taskId)) return { state: 'task-missing' as const };
    let outcome: Awaited<ReturnType<AttachmentJournal['append']>>;
    try {
      outcome = await this.journal.append(write, nowMs);
    } catch (error) {
      throw error instanceof StoreError ? new StoreError('postgres', 'unavailable', { cause: outage }) : error;
    }
    if (outcome.state === 'journaled') {
      const { version } = 'put' in write ? write.put.attachment : write.deletion.stamp;
      this.memory.remember(ref, { version, deleted: !('put' in write), journaled: true }, outcome.generation);
    }
    return outcome;
  }

  private async putInStore(
    put: AttachmentPut,
    { organization }: Caller,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ) {
    const outcome = await this.store.put(put, organization, condition, nowMs, timeoutMs);
    if (outcome.state === 'superseded') return outcome;
    if (outcome.state !== 'applied') return refused(put, outcome);

    const attachment = withIdentity(put.attachment, outcome.identity);
    const newer = await this.announce(putChange(attachment));
    if (newer === undefined) return written({ attachment, replaced: outcome.replaced });
    if (condition) return refused(put, { state: 'condition-failed', currentVersion: newer });
    return { state: 'superseded' as const, version: newer };
  }

  private async putInJournal(put: AttachmentPut, { organization }: Caller, nowMs: number, outage: StoreError) {
    const outcome = await this.append({ organization, put }, nowMs, outage);
    switch (outcome.state) {
      case 'journaled': {
        const attachment = withIdentity(put.attachment, outcome.replaced);
        return written({ attachment, replaced: outcome.replaced !== undefined, degraded: true });
      }
      case 'task-missing':
        return refused(put, outcome);
      case 'unknown':
        throw new StoreError('postgres', 'unavailable', { cause: outage });
      case 'superseded':
        return outcome;
    }
  }
}

function written(attachment: WrittenAttachment) {
  return { state: 'applied' as const, written: attachment };
}

function refused({ attachment }: AttachmentPut, refusal: Parameters<typeof refusedWrite>[0]) {
  return { state: 'refused' as const, refusal, ref: attachment };
}

function withIdentity(attachment: Attachment, identity: AttachmentIdentity | undefined): Attachment {
  return { ...attachment, ...identity };
}
