import type { AttachmentIdentity, AttachmentRef } from '../domain/attachment';
import type { AttachmentDeletion, AttachmentPut } from './attachment-write';

/** A write that was acknowledged while the store was away. */
export type JournaledWrite = { readonly organization: string } & (
  { readonly put: AttachmentPut } | { readonly deletion: AttachmentDeletion }
);

/** What came of a write that has been acknowledged before. */
export type DrainOutcome =
  /** It stands there, now or since an earlier drain; of a put, under this identity. */
  | { readonly state: 'applied'; readonly identity?: AttachmentIdentity }
  /** Something newer stands there, or the task is gone. */
  | { readonly state: 'superseded' };

export type JournalOutcome =
  | {
      readonly state: 'journaled';
      /** Of the live attachment that was known under the key; undefined where none was. */
      readonly replaced?: AttachmentIdentity;
      /** As in `FillToken`. */
      readonly generation: number;
    }
  /** A version that is not lower stands there, or may have stood there. */
  | { readonly state: 'superseded'; readonly version: number }
  | { readonly state: 'task-missing' }
  /** The journal does not know the task, or of a deletion: the attachment. Nobody can say whether the write is right. */
  | { readonly state: 'unknown' };

/** What came of an entry. */
export type SettleOutcome =
  | DrainOutcome
  /** The store will never take it: to the dead letters. */
  | { readonly state: 'refused' }
  /** The store cannot take it for now: behind all other entries. */
  | { readonly state: 'postponed' };

/** With all that the store needs to catch up on it. */
export interface JournalEntry {
  readonly ref: AttachmentRef;
  readonly op: string;
  readonly write: JournaledWrite;
}

/**
 * Takes unconditional writes while the store is away, and keeps them until the store has them, as durably as it keeps
 * anything; what it has taken, the cache answers. An organisation other than the task's finds the task missing.
 *
 * Every method throws `StoreError`, within `CACHE_TIMEOUT_MS`; a write that failed may or may not have been taken, then
 * or later.
 */
export abstract class AttachmentJournal {
  /** One round trip. `nowMs` decides what is expired. */
  abstract append(write: JournaledWrite, nowMs: number): Promise<JournalOutcome>;

  /**
   * The oldest entries of each part of the journal that has any, in their order: a hundred at most, fewer where they
   * are large. What cannot be read goes to the dead letters.
   */
  abstract oldest(): Promise<readonly (readonly JournalEntry[])[]>;

  /**
   * Takes the oldest entry of its part from the head of the journal, once the store has answered; does nothing, and
   * returns false, where that is another entry: somebody else was faster. One round trip; calls take effect in the
   * order in which they are made, or not at all.
   */
  abstract settle(entry: JournalEntry, outcome: SettleOutcome): Promise<boolean>;

  /** How many writes wait for the store, and how many it refused for good. */
  abstract backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }>;
}
