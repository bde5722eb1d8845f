import type { AttachmentIdentity, AttachmentRef } from '../domain/attachment';
import type { DomainEvent } from '../domain/domain-event';
import type { AttachmentDeletion, AttachmentPut } from './attachment-write';

/** A write that was acknowledged while the store was unavailable. */
export type JournaledWrite = { readonly organization: string } & (
  { readonly put: AttachmentPut } | { readonly deletion: AttachmentDeletion }
);

export function refOf(write: JournaledWrite): AttachmentRef {
  const { taskId, key } = 'put' in write ? write.put.attachment : write.deletion;
  return { taskId, key };
}

export function versionOf(write: JournaledWrite): number {
  return 'put' in write ? write.put.attachment.version : write.deletion.stamp.version;
}

/** What is announced of the write once the store has it. */
export function eventOf(write: JournaledWrite): DomainEvent {
  return 'put' in write ? write.put.event : write.deletion.event;
}

/** What came of a write that had been acknowledged before. */
export type DrainOutcome =
  /** The store has it, now or since an earlier drain; a put has this identity. */
  | { readonly state: 'applied'; readonly identity?: AttachmentIdentity }
  /** Something newer is there, or the task has been deleted. */
  | { readonly state: 'superseded' }
  /** The store does not know the task. It did when the write was acknowledged: a restored database has lost it. */
  | { readonly state: 'task-missing' };

/** The store cannot take the write now, because another transaction holds its task. */
export interface DrainDelay {
  readonly state: 'busy';
}

export type JournalOutcome =
  | {
      readonly state: 'journaled';
      /** Of the live attachment that was known under the key; undefined if none was. */
      readonly replaced?: AttachmentIdentity;
      /** As in `FillToken`. */
      readonly generation: number;
    }
  /** A version that is not lower is there, or may have been there. */
  | { readonly state: 'superseded'; readonly version: number }
  | { readonly state: 'task-missing' }
  /** The journal does not know the task or, for a deletion, the attachment: it cannot judge the write. */
  | { readonly state: 'unknown' };

/** What came of an entry. */
export type SettleOutcome =
  | Exclude<DrainOutcome, { state: 'task-missing' }>
  /** The store will never take it: it goes to the dead letters, with the store's code for the reason. */
  | { readonly state: 'refused'; readonly reason: string }
  /** The store cannot take it for now: it goes behind all other entries. */
  | { readonly state: 'postponed' };

/** With everything that the store needs to apply the write. */
export interface JournalEntry {
  readonly ref: AttachmentRef;
  readonly op: string;
  /** Undefined if a newer version of the service wrote the entry, in a format that this one does not know. */
  readonly write?: JournaledWrite;
  /** In which it was read to be drained, as in `FillToken`. */
  readonly generation?: number;
}

export type ReadableEntry = JournalEntry & { readonly write: JournaledWrite };

export interface SettledEntry {
  readonly entry: JournalEntry;
  readonly outcome: SettleOutcome;
}

/**
 * Takes unconditional writes while the store is unavailable, and keeps them until the store has them, as durably as it
 * keeps anything; the cache returns what the journal has taken. It does not know the tasks of another organisation than
 * that of the write.
 *
 * Every method throws `StoreError`, within `CACHE_TIMEOUT_MS`; a write that failed may or may not have been taken, then
 * or later.
 */
export abstract class AttachmentJournal {
  /** One round trip. What has expired is judged by `nowMs`. */
  abstract append(write: JournaledWrite, nowMs: number): Promise<JournalOutcome>;

  /**
   * The oldest entries of each part of the journal that has any, in their order: five hundred at most, fewer if they
   * are large. An entry that cannot be read goes to the dead letters.
   */
  abstract oldest(): Promise<readonly (readonly JournalEntry[])[]>;

  /**
   * Removes entries from the heads of their parts of the journal, in the order given, after the store has replied.
   * Entries of a part behind one that is not at its head are left alone: another replica was faster. So are all if the
   * generation in which they were read has ended: the store that replied may have been replaced. Returns how many were
   * removed. One round trip for each part, all at once.
   */
  abstract settle(settled: readonly SettledEntry[]): Promise<number>;

  /** How many writes wait for the store, and how many it refused for good; of the parts that can be reached. */
  abstract backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }>;
}
