import type { Caller } from '../domain/caller';
import type { Attachment, AttachmentIdentity, AttachmentRef } from '../domain/attachment';
import { taskNotFound } from '../domain/task';
import type { WriteStamp } from '../domain/version';
import { putChange, type AppliedChange, type AttachmentCache } from '../ports/attachment-cache';
import {
  refOf,
  versionOf,
  type AttachmentJournal,
  type JournaledWrite,
  type JournalOutcome,
} from '../ports/attachment-journal';
import type { AttachmentStore, WriteCondition } from '../ports/attachment-store';
import type { AttachmentPut, JournaledState } from '../ports/attachment-write';
import type { Clock } from '../ports/clock';
import type { IdSource } from '../ports/id-source';
import type { Room } from '../ports/room';
import { isOutage, StoreError } from '../ports/store-error';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import type { AcknowledgedChanges } from './acknowledged-changes';
import type { PutDraft } from './attachment-factory';
import type { Deadline } from './deadline';
import type { JournalBacklog } from './journal-backlog';
import { refusedWrite } from './refused-write';
import { unlessCacheIsDown } from './unless-cache-is-down';
import { Overtaken, writeVersioned } from './write-versioned';

export interface PutCommand {
  readonly draft: PutDraft;
  readonly condition?: WriteCondition;
  /** A version that this put has to exceed. */
  readonly floor?: number;
  readonly deadline?: Deadline;
  /** For what is read to judge the put. */
  readonly room?: Room;
}

export interface WrittenAttachment {
  readonly attachment: Attachment;
  readonly replaced: boolean;
  /** Only the journal has it so far. */
  readonly degraded?: true;
}

/**
 * Writes to the store and then to the cache; while the store is unavailable, to the journal. All are offered the same
 * version, so that a call that takes effect late comes too late.
 */
export class AttachmentWriter {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly journal: AttachmentJournal,
    private readonly clock: Clock,
    private readonly ids: IdSource,
    private readonly acknowledged: AcknowledgedChanges,
    private readonly backlog: JournalBacklog,
  ) {}

  /** Puts an attachment over whatever is there. Throws `DomainError` and `StoreError`. */
  async put({ draft, condition, floor, deadline, room }: PutCommand, caller: Caller): Promise<WrittenAttachment> {
    let outage: StoreError | undefined;
    const attempt = async (stamp: WriteStamp, nowMs: number, left: Deadline) => {
      const put = draft(stamp, nowMs);
      if (outage) return this.putInJournal(put, caller, nowMs, outage);
      const over = await this.journaledState(put.attachment, caller, room);
      const timeoutMs = left.leftMs(CACHE_TIMEOUT_MS);
      try {
        return await this.putInStore({ over, ...put }, caller, condition, nowMs, timeoutMs);
      } catch (error) {
        // Only the store can judge a condition.
        if (condition || !isOutage(error)) throw error;
        outage = error;
        return this.putInJournal(put, caller, nowMs, error);
      }
    };
    return writeVersioned<WrittenAttachment>(this.clock, this.ids, attempt, { floor, deadline });
  }

  /**
   * What the journal holds under a key and the store may not have yet. The cache is asked only if entries may wait: a
   * write that knows of none must not take a round trip more.
   */
  async journaledState(ref: AttachmentRef, { organization }: Caller, room?: Room): Promise<JournaledState | undefined> {
    if (!this.backlog.mayExist) return undefined;
    const found = (await unlessCacheIsDown(this.cache.read([ref], organization, room)))?.[0];
    const version = found?.attachment?.version ?? found?.deletedVersion;
    return found?.journaled && version !== undefined ? { version, attachment: found.attachment } : undefined;
  }

  /**
   * Tells the cache of a change that the store has applied. Returns the version of a journaled write that will undo the
   * change, or has undone it: then the change must be made again, above that version. Otherwise it may be acknowledged.
   */
  async announce(change: AppliedChange, caller: Caller): Promise<number | undefined> {
    const reply = await unlessCacheIsDown(this.cache.apply(change));
    if (reply?.newer !== undefined) return reply.newer;
    const { stamp, attachment } = change;
    const { version } = stamp;
    const known = { version, deleted: !attachment, journaled: false };
    this.acknowledged.remember(caller, change, known, reply?.generation);
    return undefined;
  }

  /**
   * Leaves a write to the journal; `unknown` if the journal cannot judge it. Throws `DomainError` if the task is
   * missing, and `StoreError` if the journal is unavailable, too.
   */
  async append(
    write: JournaledWrite,
    nowMs: number,
    outage: StoreError,
  ): Promise<Exclude<JournalOutcome, { state: 'task-missing' }>> {
    const ref = refOf(write);
    // The cache may not have been told: the write would be acknowledged, and lost when the store is back.
    if (this.acknowledged.of(write).isDeleted(ref.taskId)) throw taskNotFound(ref.taskId);
    let outcome: JournalOutcome;
    try {
      outcome = await this.journal.append(write, nowMs);
    } catch (error) {
      throw error instanceof StoreError ? new StoreError('postgres', 'unavailable', { cause: outage }) : error;
    } finally {
      this.backlog.learnAppend();
    }
    if (outcome.state === 'task-missing') throw taskNotFound(ref.taskId);
    if (outcome.state === 'journaled') {
      const change = { version: versionOf(write), deleted: !('put' in write), journaled: true };
      this.acknowledged.remember(write, ref, change, outcome.generation);
    }
    return outcome;
  }

  private async putInStore(
    put: AttachmentPut,
    caller: Caller,
    condition: WriteCondition,
    nowMs: number,
    timeoutMs: number,
  ): Promise<WrittenAttachment | Overtaken> {
    const outcome = await this.store.put(put, caller.organization, condition, nowMs, timeoutMs);
    if (outcome.state === 'superseded') return new Overtaken(outcome.version);
    if (outcome.state !== 'applied') throw refusedWrite(outcome, put.attachment);

    const attachment = withIdentity(put.attachment, outcome.identity);
    const newer = await this.announce(putChange(attachment), caller);
    if (newer === undefined) return { attachment, replaced: outcome.replaced };
    if (condition) throw refusedWrite({ state: 'condition-failed', currentVersion: newer }, attachment);
    return new Overtaken(newer);
  }

  private async putInJournal(
    put: AttachmentPut,
    { organization }: Caller,
    nowMs: number,
    outage: StoreError,
  ): Promise<WrittenAttachment | Overtaken> {
    const outcome = await this.append({ organization, put }, nowMs, outage);
    if (outcome.state === 'superseded') return new Overtaken(outcome.version);
    if (outcome.state === 'unknown') throw new StoreError('postgres', 'unavailable', { cause: outage });
    const attachment = withIdentity(put.attachment, outcome.replaced);
    return { attachment, replaced: outcome.replaced !== undefined, degraded: true };
  }
}

function withIdentity(attachment: Attachment, identity: AttachmentIdentity | undefined): Attachment {
  if (!identity) return attachment;
  const { id, createdAtMs, createdBy } = identity;
  return { ...attachment, id, createdAtMs, createdBy };
}
