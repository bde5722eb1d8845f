import { ofStored } from '../../../src/core/domain/domain-event';
import {
  AttachmentJournal,
  type JournalEntry,
  type JournalOutcome,
  type SettledEntry,
  type JournaledWrite,
} from '../../../src/core/ports/attachment-journal';
import type { CacheModel, JournalItem } from './cache-model';
import { inEpoch, ModelEpoch, type UsedEpoch } from './model-epoch';

/** One replica's journal on a model of Redis. Whatever a method does, it has done when it returns its promise. */
export class ModelAttachmentJournal extends AttachmentJournal {
  constructor(
    private readonly model: CacheModel,
    private readonly epoch: UsedEpoch = new ModelEpoch(model),
  ) {
    super();
  }

  append(write: JournaledWrite, nowMs: number): Promise<JournalOutcome> {
    return inEpoch(this.epoch, () => {
      const answer = this.model.append(write, nowMs);
      return answer.state === 'journaled' ? { ...answer, generation: this.epoch.generation } : answer;
    });
  }

  oldest(): Promise<readonly (readonly JournalEntry[])[]> {
    return inEpoch(this.epoch, () => {
      const { generation } = this.epoch;
      const items = this.model.oldest();
      return items.length > 0 ? [items.map((item) => ({ ...entryOf(item), generation }))] : [];
    });
  }

  settle(settled: readonly SettledEntry[]): Promise<number> {
    const { generation } = this.epoch;
    const valid = settled.filter(({ entry }) => entry.generation === generation);
    return inEpoch(this.epoch, () => this.model.settle(valid));
  }

  backlog(): Promise<{ readonly waiting: number; readonly deadLetters: number }> {
    return Promise.resolve({ waiting: this.model.journal.length, deadLetters: this.model.deadLetters.length });
  }
}

function entryOf({ ref, op, write, replacedId }: JournalItem): JournalItem {
  return { ref, op, write: replacedId === undefined ? write : announcing(write, replacedId) };
}

function announcing(write: JournaledWrite, replacedId: string): JournaledWrite {
  if ('put' in write) return { ...write, put: { ...write.put, event: ofStored(write.put.event, replacedId) } };
  return { ...write, deletion: { ...write.deletion, event: ofStored(write.deletion.event, replacedId) } };
}
