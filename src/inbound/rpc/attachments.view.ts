import type { Attachment } from '../../core/domain/attachment';
import { isoTime } from '../../core/domain/domain-event';
import type { DeletedAttachment } from '../../core/use-cases/delete-attachment';
import type { AttachmentPage } from '../../core/use-cases/list-attachments';

export function createdAttachmentView(attachment: Attachment, replaced: boolean): object {
  const { id, taskId, key, type, createdAtMs, version } = attachment;
  return { id, taskId, key, type, createdAt: isoTime(createdAtMs), version, replaced };
}

export function attachmentView(attachment: Attachment): object {
  const { id, taskId, key, type, value, content, url, size, mimeType, createdBy, version } = attachment;
  return { id, taskId, key, type, value, content, url, size, mimeType, createdBy, ...times(attachment), version };
}

export function attachmentPageView(page: AttachmentPage, includeBodies: boolean): object {
  const { attachments, totalCount, hasMore, degraded } = page;
  const view = includeBodies ? attachmentView : bodilessView;
  return { attachments: attachments.map(view), totalCount, hasMore, degraded };
}

export function deletedAttachmentView({ id, taskId, key, deletedAtMs }: DeletedAttachment): object {
  return { id, taskId, key, deleted: true, deletedAt: isoTime(deletedAtMs) };
}

function bodilessView(attachment: Attachment): object {
  const { id, taskId, key, type, bytes, url, size, mimeType, createdBy, version } = attachment;
  return { id, taskId, key, type, bytes, url, size, mimeType, createdBy, ...times(attachment), version };
}

function times({ createdAtMs, updatedAtMs, expiresAtMs }: Attachment): object {
  return {
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: expiresAtMs === undefined ? undefined : isoTime(expiresAtMs),
  };
}
