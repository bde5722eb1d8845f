import type { Attachment } from '../../core/domain/attachment';
import { isoTime } from '../../core/domain/iso-time';
import type { AttachmentPage } from '../../core/consistency/attachment-page';
import type { DeletedAttachment } from '../../core/consistency/attachment-remover';
import type { WrittenAttachment } from '../../core/consistency/attachment-writer';
import type { GetAttachmentResult } from '../../core/use-cases/attachments/get-attachment';
import type { AttachmentBatch } from '../../core/use-cases/attachments/get-attachments-batch';
import { objectOf, type JsonSchema, type ObjectSchema } from './json-schema';
import {
  ACTOR_NAME,
  ATTACHMENT_ID,
  ATTACHMENT_TYPE,
  COUNT,
  DEGRADED,
  JSON_VALUE,
  KEY,
  MIME_TYPE,
  SIZE,
  TASK_ID,
  TIME,
  VERSION,
} from './wire-schemas';

const REF = { taskId: TASK_ID, key: KEY };
const BYTES: JsonSchema = {
  ...COUNT,
  description: 'In a list without bodies: the UTF-8 length of the JSON text of `value`, or of `content`.',
};
const ALWAYS = {
  id: ATTACHMENT_ID,
  ...REF,
  type: ATTACHMENT_TYPE,
  createdBy: ACTOR_NAME,
  createdAt: { ...TIME, description: 'Of the first write under this key.' },
  updatedAt: TIME,
  version: VERSION,
};
const SOMETIMES = {
  value: { ...JSON_VALUE, description: 'Of type json: exactly as it was sent.' },
  content: { type: 'string', description: 'Of type markdown or text.' },
  url: { type: 'string', description: 'Of type url, and perhaps of type binary.' },
  size: SIZE,
  mimeType: MIME_TYPE,
  expiresAt: { ...TIME, description: 'Present if the attachment was written with a TTL.' },
} as const satisfies Readonly<Record<string, JsonSchema>>;
const ATTACHMENT = objectOf('Attachment', ALWAYS, { ...SOMETIMES, bytes: BYTES });

export const WRITTEN_ATTACHMENT: ObjectSchema = objectOf(
  'WrittenAttachment',
  {
    id: ATTACHMENT_ID,
    ...REF,
    type: ATTACHMENT_TYPE,
    createdAt: { ...TIME, description: 'Of the first write under this key.' },
    version: VERSION,
    replaced: { type: 'boolean', description: 'Whether there was an attachment under this key.' },
  },
  { degraded: DEGRADED },
);

export const FOUND_ATTACHMENT: ObjectSchema = objectOf('FoundAttachment', ALWAYS, { ...SOMETIMES, degraded: DEGRADED });

export const ATTACHMENT_PAGE: ObjectSchema = objectOf(
  'AttachmentPage',
  {
    attachments: { type: 'array', items: ATTACHMENT },
    totalCount: { ...COUNT, description: 'Of all attachments that match the filters.' },
    hasMore: { type: 'boolean' },
  },
  { degraded: DEGRADED },
);

export const ATTACHMENT_BATCH: ObjectSchema = objectOf(
  'AttachmentBatch',
  {
    attachments: {
      type: 'array',
      items: { anyOf: [ATTACHMENT, { type: 'null' }] },
      description: 'In the order of the requests. Null, with `allowMissing`, in place of one that is missing.',
    },
  },
  { degraded: DEGRADED },
);

export const DELETED_ATTACHMENT: ObjectSchema = objectOf(
  'DeletedAttachment',
  { id: ATTACHMENT_ID, ...REF, deleted: { const: true }, deletedAt: TIME },
  { degraded: DEGRADED },
);

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
  // Spelt out: spreading the times in takes several times as long, for every attachment that is read.
  const { createdAt, updatedAt, expiresAt } = times(attachment);
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
  const { createdAt, updatedAt, expiresAt } = times(attachment);
  return { id, taskId, key, type, bytes, url, size, mimeType, createdBy, createdAt, updatedAt, expiresAt, version };
}

function times({ createdAtMs, updatedAtMs, expiresAtMs }: Attachment) {
  return {
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: expiresAtMs === undefined ? undefined : isoTime(expiresAtMs),
  };
}
