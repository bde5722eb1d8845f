import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import { attachmentCreated, attachmentDeleted } from '../../src/core/domain/domain-event';
import type { AttachmentCache, JournaledChange } from '../../src/core/ports/attachment-cache';
import type {
  AttachmentJournal,
  JournalEntry,
  JournalOutcome,
  JournaledWrite,
  SettleOutcome,
} from '../../src/core/ports/attachment-journal';
import { NOW_MS, ORGANIZATION, TaskInCache } from './task-in-cache';

/** Whether the entry was at the head of the journal. */
export async function settleOne(
  journal: AttachmentJournal,
  entry: JournalEntry,
  outcome: SettleOutcome,
): Promise<boolean> {
  return (await journal.settle([{ entry, outcome }])) === 1;
}

/** One task, to which writes are journaled. */
export class TaskInJournal extends TaskInCache {
  constructor(
    cache: AttachmentCache,
    private readonly journal: AttachmentJournal,
  ) {
    super(cache);
  }

  putOf(attachment: Attachment): JournaledWrite {
    return { organization: ORGANIZATION, put: { attachment, event: attachmentCreated(attachment, 'replica-1') } };
  }

  deletionOf(key: string, version: number): JournaledWrite {
    const ref = { taskId: this.id, key };
    const stamp = { version, op: randomUUID() };
    const event = attachmentDeleted(ref, stamp, 'alice', NOW_MS);
    return { organization: ORGANIZATION, deletion: { ...ref, stamp, event } };
  }

  append(write: JournaledWrite): Promise<JournalOutcome> {
    return this.journal.append(write, NOW_MS);
  }

  async appendPut(key: string, version: number, members: Partial<Attachment> = {}): Promise<Attachment> {
    const attachment = this.sample(key, version, members);
    expect(await this.append(this.putOf(attachment))).toMatchObject({ state: 'journaled' });
    return attachment;
  }

  async appendDeletion(key: string, version: number): Promise<void> {
    expect(await this.append(this.deletionOf(key, version))).toMatchObject({ state: 'journaled' });
  }

  /** The oldest entry. */
  async head(): Promise<JournalEntry> {
    const [[entry] = []] = await this.journal.oldest();
    if (!entry) throw new Error('the journal is empty');
    return entry;
  }

  /** Of the whole task, as a read without a page gets them. */
  async journaled(organization = ORGANIZATION): Promise<readonly JournaledChange[] | undefined> {
    return (await this.cache.readPage({ taskId: this.id, organization, nowMs: NOW_MS })).journaled;
  }
}
