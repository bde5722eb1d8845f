import { outlineOf, type Attachment, type AttachmentRef } from '../../core/domain/attachment';
import type {
  AttachmentListQuery,
  AttachmentStore,
  DeleteOutcome,
  OutlinesQuery,
  PutOutcome,
  StoredAttachment,
  WriteCondition,
} from '../../core/ports/attachment-store';
import type { AttachmentDeletion, AttachmentPut } from '../../core/ports/attachment-write';
import type { DrainOutcome, JournaledWrite } from '../../core/ports/attachment-journal';
import { OUTLINE_BYTES, type Room } from '../../core/ports/room';
import { inListOrder, isAskedFor } from '../../core/domain/list-order';
import type { MemoryDatabase } from './memory-database';
import { identityOf, isTombstone } from './stored-attachment';

export class MemoryAttachmentStore implements AttachmentStore {
  constructor(private readonly database: MemoryDatabase) {}

  put(put: AttachmentPut, organization: string, condition: WriteCondition, nowMs: number): Promise<PutOutcome> {
    const write = (): PutOutcome => {
      const task = this.database.task(put.attachment.taskId, organization);
      return task ? this.database.put(put, condition, nowMs) : { state: 'task-missing' };
    };
    return Promise.resolve(this.database.transaction(write));
  }

  delete(
    deletion: AttachmentDeletion,
    organization: string,
    condition: WriteCondition,
    nowMs: number,
  ): Promise<DeleteOutcome> {
    const write = (): DeleteOutcome => {
      const task = this.database.task(deletion.taskId, organization);
      return task ? this.database.delete(deletion, condition, nowMs) : { state: 'task-missing' };
    };
    return Promise.resolve(this.database.transaction(write));
  }

  drain(writes: readonly JournaledWrite[]): Promise<readonly DrainOutcome[]> {
    return Promise.resolve(this.database.transaction(() => writes.map((write) => this.drainNow(write))));
  }

  async find(refs: readonly AttachmentRef[], organization: string, nowMs: number, _timeoutMs?: number, room?: Room) {
    const here = refs.filter(({ taskId }) => this.database.task(taskId, organization));
    const stored = new Set(here.map(({ taskId, key }) => this.database.stored(taskId, key)));
    const found: StoredAttachment[] = [];
    for (const one of stored) {
      if (!one) continue;
      const { taskId, key, version } = one;
      found.push({ taskId, key, version, attachment: this.database.liveAttachment(taskId, key, nowMs) });
    }
    room?.take(bytesOf(found.flatMap(({ attachment }) => attachment ?? [])));
    return Promise.resolve({ tasks: new Set(here.map(({ taskId }) => taskId)), found });
  }

  async list(query: AttachmentListQuery) {
    const { taskId, organization, limit, offset, descending, includeBodies, nowMs } = query;
    if (!this.database.task(taskId, organization)) return undefined;
    const live = this.database.liveAttachments(taskId, nowMs);
    const matching = inListOrder(live.filter((attachment) => isAskedFor(attachment, query)));
    if (descending) matching.reverse();
    const page = matching.slice(offset, offset + limit);
    if (includeBodies) query.room?.take(bytesOf(page));
    const attachments = includeBodies ? page : page.map(outlineOf);
    return Promise.resolve({ attachments, totalCount: matching.length });
  }

  async outlines({ taskId, organization, nowMs, after = '', limit, room }: OutlinesQuery) {
    if (!this.database.task(taskId, organization)) return undefined;
    const inKeyOrder = this.database.liveAttachments(taskId, nowMs).sort((a, b) => compareBytes(a.key, b.key));
    const asked = inKeyOrder.filter(({ key }) => compareBytes(key, after) > 0).slice(0, limit);
    room?.take(asked.reduce((sum, { url = '' }) => sum + OUTLINE_BYTES + Buffer.byteLength(url), 0));
    return Promise.resolve(asked.map(outlineOf));
  }

  private drainNow(write: JournaledWrite): DrainOutcome {
    const { taskId, key, stamp, event } = changeOf(write);
    const late = { taskId, key, version: stamp.version, kind: 'attachment', event } as const;
    if (!this.database.task(taskId, write.organization)) {
      if (!this.database.isDeleted(taskId)) return { state: 'task-missing' };
      this.database.record(late, { superseded: true, published: true });
      return { state: 'superseded' };
    }
    const stored = this.database.stored(taskId, key);
    if (stored?.op === stamp.op) {
      return { state: 'applied', identity: isTombstone(stored) ? undefined : identityOf(stored) };
    }
    const outcome =
      'put' in write
        ? this.database.put(write.put, undefined, event.timestamp, Infinity)
        : this.database.delete(write.deletion, undefined, event.timestamp, true);
    if (outcome.state === 'applied') {
      return { state: 'applied', identity: 'identity' in outcome ? outcome.identity : undefined };
    }
    this.database.record(late, { superseded: true });
    return { state: 'superseded' };
  }
}

function changeOf(write: JournaledWrite): AttachmentDeletion {
  if ('deletion' in write) return write.deletion;
  const { attachment, event } = write.put;
  const { taskId, key, version, op } = attachment;
  return { taskId, key, stamp: { version, op }, event };
}

function bytesOf(attachments: readonly Attachment[]): number {
  return attachments.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
}

/** UTF-8 sorts characters beyond U+FFFF after all others; UTF-16 does not. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
