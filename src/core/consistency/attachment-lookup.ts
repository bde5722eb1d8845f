import type { Caller } from '../domain/caller';
import { isLive, refName, type Attachment, type AttachmentRef } from '../domain/attachment';
import { CACHE_TIMEOUT_MS } from '../ports/time-limits';
import type { AttachmentCache, CachedAttachment, Fill } from '../ports/attachment-cache';
import type { AttachmentStore, StoredAttachment } from '../ports/attachment-store';
import type { Clock } from '../ports/clock';
import type { Room } from '../ports/room';
import type { Metrics } from '../ports/metrics';
import { StoreError, isOutage } from '../ports/store-error';
import type { AcknowledgedChanges } from './acknowledged-changes';
import { Deadline } from './deadline';
import { unlessCacheIsDown } from './unless-cache-is-down';

export interface FoundAttachment {
  readonly attachment?: Attachment;
  readonly taskExists: boolean;
  /** The attachment is one that the store may not have seen yet. */
  readonly journaled?: boolean;
  /** The store should have been asked, and was unavailable. */
  readonly degraded?: true;
}

/** How much time and memory a lookup may take. */
export interface LookupBounds {
  readonly deadline?: Deadline;
  readonly room?: Room;
}

const TASK_MISSING: FoundAttachment = { taskExists: false };

/**
 * Finds attachments by key: in the cache first, with one read; what the cache does not know, in the store, with one
 * query, and then fills it into the cache. The results are in the order of the references. Throws `StoreError` if no
 * store that knows is available.
 */
export class AttachmentLookup {
  constructor(
    private readonly store: AttachmentStore,
    private readonly cache: AttachmentCache,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly acknowledged: AcknowledgedChanges,
  ) {}

  async find(
    refs: readonly AttachmentRef[],
    caller: Caller,
    { deadline = new Deadline(this.clock), room }: LookupBounds = {},
  ): Promise<readonly FoundAttachment[]> {
    const changes = this.acknowledged.of(caller);
    const ownVersions = refs.map((ref) => changes.versionOf(ref));
    const cached = await unlessCacheIsDown(this.cache.read(refs, caller.organization, room));
    const known = refs.map((ref, i) => this.knownAnswer(ref, cached?.[i], ownVersions[i] as number, caller));
    this.metrics.cacheHits(known.filter((answer) => answer?.attachment).length);
    const missed = refs.flatMap((ref, i) => (known[i] ? [] : [{ ref, i, cached: cached?.[i] }]));
    if (missed.length === 0) return known as readonly FoundAttachment[];

    this.metrics.cacheMisses(missed.length);
    const asked = missed.map((one) => ({ ownVersion: ownVersions[one.i] as number, ...one }));
    const answers = await this.askStore(asked, caller, deadline, room);
    asked.forEach(({ i }, nth) => (known[i] = answers[nth]));
    return known as readonly FoundAttachment[];
  }

  /** As the store has it, or the journal if that is newer; from the cache only if the store is unavailable. */
  async findStored(ref: AttachmentRef, caller: Caller, deadline: Deadline, room?: Room): Promise<FoundAttachment> {
    const ownVersion = this.acknowledged.of(caller).versionOf(ref);
    const cached = (await unlessCacheIsDown(this.cache.read([ref], caller.organization, room)))?.[0];
    const [answer] = await this.askStore([{ ref, cached, ownVersion }], caller, deadline, room);
    return answer as FoundAttachment;
  }

  /** What the cache can say while the store is unavailable; undefined if it does not know. */
  async findWithoutStore(ref: AttachmentRef, caller: Caller, room?: Room): Promise<FoundAttachment | undefined> {
    const ownVersion = this.acknowledged.of(caller).versionOf(ref);
    const cached = (await unlessCacheIsDown(this.cache.read([ref], caller.organization, room)))?.[0];
    return this.degradedAnswer({ ref, cached, ownVersion }, caller);
  }

  /** Undefined if the store must be asked. */
  private knownAnswer(
    { taskId }: AttachmentRef,
    cached: CachedAttachment | undefined,
    ownVersion: number,
    caller: Caller,
  ): FoundAttachment | undefined {
    const changes = this.acknowledged.of(caller);
    if (changes.isDeleted(taskId)) return TASK_MISSING;
    // The store is asked for a task of another organisation, too: a reply from here would tell it from a missing task
    // by its speed.
    if (cached?.organization !== caller.organization) return undefined;
    if (cached.deleted) return TASK_MISSING;
    const { attachment, journaled } = cached;
    if (!attachment || attachment.version < ownVersion || !isLive(attachment, this.clock.nowMs())) return undefined;
    return changes.accepts(cached) ? { attachment, journaled, taskExists: true } : undefined;
  }

  private async askStore(
    asked: readonly Asked[],
    caller: Caller,
    deadline: Deadline,
    room?: Room,
  ): Promise<FoundAttachment[]> {
    const refs = asked.map(({ ref }) => ref);
    const timeoutMs = deadline.leftMs(CACHE_TIMEOUT_MS);
    let stored: Awaited<ReturnType<AttachmentStore['find']>>;
    try {
      stored = await this.store.find(refs, caller.organization, this.clock.nowMs(), timeoutMs, room);
    } catch (error) {
      if (!isOutage(error)) throw error;
      const answers = asked.map((one) => this.degradedAnswer(one, caller));
      if (answers.includes(undefined)) throw error;
      return answers as FoundAttachment[];
    }
    const byRef = new Map(stored.found.map((one) => [refName(one), one]));
    const answers = asked.map((one) =>
      stored.tasks.has(one.ref.taskId) ? this.storedAnswer(one, byRef.get(refName(one.ref)), caller) : TASK_MISSING,
    );
    await this.fill(asked, stored.found, caller);
    return answers;
  }

  /** Undefined if the cache does not know. */
  private degradedAnswer({ ref, cached, ownVersion }: Asked, caller: Caller): FoundAttachment | undefined {
    const changes = this.acknowledged.of(caller);
    if (changes.isDeleted(ref.taskId)) return TASK_MISSING;
    if (cached?.organization !== caller.organization) return undefined;
    if (cached.deleted) return TASK_MISSING;
    const { attachment, deletedVersion, journaled } = cached;
    const version = attachment?.version ?? deletedVersion;
    if (version === undefined || version < ownVersion || changes.mayHaveForgotten(cached, version)) return undefined;
    if (attachment && isLive(attachment, this.clock.nowMs())) {
      return { attachment, journaled, taskExists: true, degraded: true };
    }
    // An attachment that has expired in the cache may have been replaced; nothing is newer than a journaled change.
    return journaled ? { taskExists: true, degraded: true } : undefined;
  }

  /** The newer of what the store and the journal have. Throws if both are older than what was acknowledged here. */
  private storedAnswer(
    { ref, cached, ownVersion }: Asked,
    stored: StoredAttachment | undefined,
    caller: Caller,
  ): FoundAttachment {
    const changes = this.acknowledged.of(caller);
    const storedVersion = stored?.version ?? 0;
    const journaledVersion = (cached?.journaled && (cached.attachment?.version ?? cached.deletedVersion)) || 0;
    const isNewer = journaledVersion > storedVersion;
    if (Math.max(journaledVersion, storedVersion) < ownVersion) {
      if (!cached) throw new StoreError('redis', 'unavailable');
      changes.forget(ref, ownVersion);
    } else if (!isNewer) {
      changes.learnStored(ref, storedVersion, !stored?.attachment);
    }
    const attachment = isNewer ? cached?.attachment : stored?.attachment;
    const isThere = attachment !== undefined && isLive(attachment, this.clock.nowMs());
    return { attachment: isThere ? attachment : undefined, journaled: isNewer, taskExists: true };
  }

  private async fill(
    asked: readonly Asked[],
    found: readonly StoredAttachment[],
    { organization }: Caller,
  ): Promise<void> {
    const fills = new Map<string, Fill & { attachments: Attachment[] }>();
    for (const { ref, cached } of asked) {
      if (!cached) continue;
      const { taskId } = ref;
      fills.set(taskId, {
        taskId,
        organization,
        token: cached.token,
        attachments: [],
        withBodies: true,
        complete: false,
      });
    }
    for (const { taskId, attachment } of found) if (attachment) fills.get(taskId)?.attachments.push(attachment);
    const worthwhile = [...fills.values()].filter(({ attachments }) => attachments.length > 0);
    if (worthwhile.length > 0) await unlessCacheIsDown(this.cache.fill(worthwhile));
  }
}

interface Asked {
  readonly ref: AttachmentRef;
  readonly cached?: CachedAttachment;
  /** From before the cache was read: a change acknowledged since then may be newer than its reply. */
  readonly ownVersion: number;
}
