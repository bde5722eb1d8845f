import {
  ATTACHMENT_TYPES,
  type Attachment,
  type AttachmentRef,
  type AttachmentType,
} from '../../core/domain/attachment';
import { isoTime } from '../../core/domain/iso-time';
import { JsonText } from '../../core/domain/json-text';

export type HashFields = Readonly<Record<string, string | undefined>>;

/** The member that an attachment of the type must have. */
const BODY: Record<AttachmentType, 'value' | 'content' | 'url' | 'mimeType'> = {
  json: 'value',
  markdown: 'content',
  text: 'content',
  url: 'url',
  binary: 'mimeType',
};

/** A member that the attachment lacks has no field. */
export function toHash(attachment: Attachment): Readonly<Record<string, string>> {
  const { id, taskId, key, type, value, content, url, mimeType, size, createdBy, version, op } = attachment;
  const { createdAtMs, updatedAtMs, expiresAtMs } = attachment;
  // Written out, as in `fromHash`: to copy all but some members takes four times as long, and every write does this.
  const fields = {
    id,
    taskId,
    key,
    type,
    value: value?.text,
    content,
    url,
    mimeType,
    size,
    createdBy,
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: expiresAtMs === undefined ? undefined : isoTime(expiresAtMs),
    version,
    op,
  };
  const texts: Record<string, string> = {};
  for (const [field, text] of Object.entries(fields)) if (text !== undefined) texts[field] = String(text);
  return texts;
}

/** What packed.lua returns of an attachment. The key, which comes first there, is that of the reader. */
export function fieldsOfPacked(key: string, packed: string, outline = false): HashFields {
  const [, op, version, taskId, id, type, createdBy, createdAt, updatedAt, ...others] = packed.split('\0');
  const [expiresAt, size, url, mimeType, body, content] = others;
  return {
    key,
    op,
    version,
    taskId,
    id,
    type,
    createdBy,
    createdAt,
    updatedAt,
    expiresAt: expiresAt || undefined,
    size: size || undefined,
    url: url || undefined,
    mimeType: mimeType || undefined,
    value: outline ? undefined : body || undefined,
    // The only member that may be empty.
    content: type === 'markdown' || type === 'text' ? content : undefined,
    bytes: outline ? body : undefined,
  };
}

/**
 * Undefined for anything that `toHash` would not have written for this attachment. An outline is a hash that has
 * `bytes`, their length, in place of value and content.
 */
export function fromHash(ref: AttachmentRef, fields: HashFields, outline = false): Attachment | undefined {
  const { id, type, createdBy, op } = fields;
  const version = integerOf(fields['version']);
  const createdAtMs = timeOf(fields['createdAt']);
  const updatedAtMs = timeOf(fields['updatedAt']);
  if (!id || !isType(type) || createdBy === undefined || !op) return undefined;
  if (version === undefined || createdAtMs === undefined || updatedAtMs === undefined) return undefined;
  if (fields['taskId'] !== ref.taskId || fields['key'] !== ref.key) return undefined;

  const { content, url, mimeType } = fields;
  const value = jsonOf(fields['value']);
  const bytes = outline ? integerOf(fields['bytes']) : bytesOf(fields['value'] ?? content);
  const size = integerOf(fields['size']);
  const expiresAtMs = timeOf(fields['expiresAt']);
  if (!isWhole(type, { value, content, url, mimeType, bytes }, outline)) return undefined;
  if (fields['size'] !== undefined && size === undefined) return undefined;
  if (fields['expiresAt'] !== undefined && expiresAtMs === undefined) return undefined;
  const { taskId, key } = ref;
  // Written out: spreading the parts into one object takes fifteen times as long, and every cached read does this.
  return {
    id,
    taskId,
    key,
    type,
    value,
    content,
    url,
    mimeType,
    size,
    bytes,
    createdBy,
    createdAtMs,
    updatedAtMs,
    expiresAtMs,
    version,
    op,
  };
}

type Body = Pick<Attachment, 'value' | 'content' | 'url' | 'mimeType' | 'bytes'>;

function isWhole(type: AttachmentType, body: Body, outline: boolean): boolean {
  const member = BODY[type];
  return body[outline && (member === 'value' || member === 'content') ? 'bytes' : member] !== undefined;
}

function bytesOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Buffer.byteLength(text);
}

function jsonOf(text: string | undefined): JsonText | undefined {
  return text !== undefined && isJson(text) ? JsonText.restore(text) : undefined;
}

function isType(type: string | undefined): type is AttachmentType {
  return ATTACHMENT_TYPES.some((known) => known === type);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function timeOf(text: string | undefined): number | undefined {
  const epochMs = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

function integerOf(text: string | undefined): number | undefined {
  const number = text !== undefined && /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
