import type { Attachment } from '../../core/domain/attachment';
import { isoTime } from '../../core/domain/domain-event';
import type { AttachmentPage } from '../../core/consistency/attachment-page';
import type { DeletedAttachment } from '../../core/consistency/attachment-remover';
import type { WrittenAttachment } from '../../core/consistency/attachment-writer';
import type { GetAttachmentResult } from '../../core/use-cases/attachments/get-attachment';
import type { AttachmentBatch } from '../../core/use-cases/attachments/get-attachments-batch';

export function writtenAttachmentView({ attachment, replaced, degraded }: WrittenAttachment): object {
  const { id, taskId, key, type, createdAtMs, version } = attachment;
  return { id, taskId, key, type, createdAt: isoTime(createdAtMs), version, replaced, degraded };
}

export function foundAttachmentView({ attachment, degraded }: GetAttachmentResult): object {
  return attachmentView(attachment, degraded);
}

export function attachmentBatchView({ attachments, degraded }: AttachmentBatch): object {
  return { attachments: attachments.map((attachment) => attachment && attachmentView(attachment)), degraded };
}

export function attachmentPageView(page: AttachmentPage, includeBodies: boolean): object {
  const { attachments, totalCount, hasMore, degraded } = page;
  const view = includeBodies ? attachmentView : outlineView;
  return { attachments: attachments.map((attachment) => view(attachment)), totalCount, hasMore, degraded };
}

export function deletedAttachmentView({ id, taskId, key, deletedAtMs, degraded }: DeletedAttachment): object {
  return { id, taskId, key, deleted: true, deletedAt: isoTime(deletedAtMs), degraded };
}

function attachmentView(attachment: Attachment, degraded?: true): object {
  const { id, taskId, key, type, value, content, url, size, mimeType, createdBy, version } = attachment;
  const { createdAt, updatedAt, expiresAt } = times(attachment);
  // Spelt out: spreading the times in takes several times as long, for every attachment that is read.
  return {
    id,
    taskId,
    key,
    type,
    value,
    content,
    url,
    size,
    mimeType,
    createdBy,
    createdAt,
    updatedAt,
    expiresAt,
    version,
    degraded,
  };
}

function outlineView(attachment: Attachment): object {
  const { id, taskId, key, type, bytes, url, size, mimeType, createdBy, version } = attachment;
  return { id, taskId, key, type, bytes, url, size, mimeType, createdBy, ...times(attachment), version };
}

function times({ createdAtMs, updatedAtMs, expiresAtMs }: Attachment) {
  return {
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: expiresAtMs === undefined ? undefined : isoTime(expiresAtMs),
  };
}
