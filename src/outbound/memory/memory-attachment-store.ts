import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import { ofStored } from '../../core/domain/domain-event';
import type {
  AttachmentDeletion,
  AttachmentListQuery,
  AttachmentPut,
  AttachmentStore,
  DeleteOutcome,
  PutOutcome,
  WriteCondition,
} from '../../core/ports/attachment-store';
import type { MemoryDatabase } from './memory-database';

export class MemoryAttachmentStore implements AttachmentStore {
  constructor(private readonly database: MemoryDatabase) {}

  put(put: AttachmentPut, organization: string, condition: WriteCondition, nowMs: number): Promise<PutOutcome> {
    const task = this.database.task(put.attachment.taskId, organization);
    return Promise.resolve(task ? this.database.put(put, condition, nowMs) : { state: 'task-missing' });
  }

  delete(deletion: AttachmentDeletion, organization: string, nowMs: number): Promise<DeleteOutcome> {
    return Promise.resolve(this.deleteNow(deletion, organization, nowMs));
  }

  find(refs: readonly AttachmentRef[], organization: string, nowMs: number) {
    const here = refs.filter(({ taskId }) => this.database.task(taskId, organization));
    const found = here.map(({ taskId, key }) => this.database.liveAttachment(taskId, key, nowMs));
    return Promise.resolve({
      tasks: new Set(here.map(({ taskId }) => taskId)),
      attachments: [...new Set(found.filter((attachment) => attachment !== undefined))],
    });
  }

  list(query: AttachmentListQuery) {
    const { taskId, organization, type, keyPrefix, limit, offset, descending, includeBodies, nowMs } = query;
    if (!this.database.task(taskId, organization)) return Promise.resolve(undefined);
    const matching = this.database
      .liveAttachments(taskId, nowMs)
      .filter((one) => (type === undefined || one.type === type) && one.key.startsWith(keyPrefix))
      .sort((a, b) => a.createdAtMs - b.createdAtMs || compareBytes(a.key, b.key));
    if (descending) matching.reverse();
    const page = matching.slice(offset, offset + limit);
    return Promise.resolve({
      attachments: includeBodies ? page : page.map(withoutBody),
      totalCount: matching.length,
    });
  }

  summaries(taskId: string, organization: string, nowMs: number): Promise<readonly Attachment[] | undefined> {
    if (!this.database.task(taskId, organization)) return Promise.resolve(undefined);
    const attachments = this.database.liveAttachments(taskId, nowMs).map(withoutBody);
    return Promise.resolve(attachments.sort((a, b) => compareBytes(a.key, b.key)));
  }

  private deleteNow(deletion: AttachmentDeletion, organization: string, nowMs: number): DeleteOutcome {
    const { taskId, key, stamp, event } = deletion;
    const task = this.database.task(taskId, organization);
    if (!task) return { state: 'task-missing' };
    const live = this.database.liveAttachment(taskId, key, nowMs);
    if (!live) return { state: 'attachment-missing' };
    const refusal = this.database.remove(taskId, key, stamp);
    if (refusal) return refusal;
    this.database.record(task, ofStored(event, live.id));
    return { state: 'applied', attachmentId: live.id };
  }
}

/** As UTF-8, which sorts characters beyond U+FFFF after all others; UTF-16 does not. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function withoutBody({ value: _value, content: _content, ...rest }: Attachment): Attachment {
  return rest;
}
