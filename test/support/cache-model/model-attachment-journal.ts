import { ofStored } from '../../../src/core/domain/domain-event';
import {
  AttachmentJournal,
  type JournalEntry,
  type JournalOutcome,
  type SettledEntry,
  type JournaledWrite,
} from '../../../src/core/ports/attachment-journal';
import type { CacheModel, JournalItem } from './cache-model';

/** One replica's journal on a model of Redis. Whatever a method does, it has done when it returns its promise. */
export class ModelAttachmentJournal extends AttachmentJournal {
  constructor(
    private readonly model: CacheModel,
    /** Of the connection, now. */
    private readonly generation: () => number = () => 0,
  ) {
    super();
  }

  append(write: JournaledWrite, nowMs: number): Promise<JournalOutcome> {
    const answer = this.model.append(write, nowMs);
    return Promise.resolve(answer.state === 'journaled' ? { ...answer, generation: this.generation() } : answer);
  }

  oldest(): Promise<readonly (readonly JournalEntry[])[]> {
    const items = this.model.oldest();
    return Promise.resolve(items.length > 0 ? [items.map(entryOf)] : []);
  }

  settle(settled: readonly SettledEntry[]): Promise<number> {
    return Promise.resolve(this.model.settle(settled));
  }

  backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }> {
    return Promise.resolve({ waiting: this.model.journal.length, deadLetters: this.model.deadLetters.length });
  }
}

function entryOf({ ref, op, write, replacedId }: JournalItem): JournalEntry {
  return { ref, op, write: replacedId === undefined ? write : announcing(write, replacedId) };
}

function announcing(write: JournaledWrite, replacedId: string): JournaledWrite {
  if ('put' in write) return { ...write, put: { ...write.put, event: ofStored(write.put.event, replacedId) } };
  return { ...write, deletion: { ...write.deletion, event: ofStored(write.deletion.event, replacedId) } };
}
