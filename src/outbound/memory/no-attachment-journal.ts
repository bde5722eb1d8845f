import { AttachmentJournal, type JournalEntry, type JournalOutcome } from '../../core/ports/attachment-journal';
import { StoreError } from '../../core/ports/store-error';

/** The journal of a process without Redis. Nothing would outlive the process, so it accepts no write. */
export class NoAttachmentJournal extends AttachmentJournal {
  append(): Promise<JournalOutcome> {
    return Promise.reject(new StoreError('redis', 'unavailable'));
  }

  oldest(): Promise<readonly (readonly JournalEntry[])[]> {
    return Promise.resolve([]);
  }

  settle(): Promise<number> {
    return Promise.reject(new StoreError('redis', 'unavailable'));
  }

  backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }> {
    return Promise.resolve({ waiting: 0, deadLetters: 0 });
  }
}
