import {
  ATTACHMENT_TYPES,
  type Attachment,
  type AttachmentRef,
  type AttachmentType,
} from '../../core/domain/attachment';
import { JsonText } from '../../core/domain/json-text';

export type HashFields = Readonly<Record<string, string>>;

/** The member without which an attachment of the type is not whole. */
const BODY: Record<AttachmentType, 'value' | 'content' | 'url' | 'mimeType'> = {
  json: 'value',
  markdown: 'content',
  text: 'content',
  url: 'url',
  binary: 'mimeType',
};

/** Fields and values in turn; what the attachment does not have has no field. */
export function toHash(attachment: Attachment): string[] {
  const { value, createdAtMs, updatedAtMs, expiresAtMs, bytes: _bytes, ...members } = attachment;
  const fields = {
    ...members,
    value: value?.text,
    createdAt: isoTime(createdAtMs),
    updatedAt: isoTime(updatedAtMs),
    expiresAt: expiresAtMs === undefined ? undefined : isoTime(expiresAtMs),
  };
  return Object.entries(fields).flatMap(([field, text]) => (text === undefined ? [] : [field, String(text)]));
}

/**
 * Undefined for anything that `toHash` would not have written for this attachment. An outline is a hash without value
 * and content, but with their length in `bytes`.
 */
export function fromHash(ref: AttachmentRef, fields: HashFields, outline = false): Attachment | undefined {
  const { id, type, createdBy, op } = fields;
  const version = integerOf(fields['version']);
  const createdAtMs = timeOf(fields['createdAt']);
  const updatedAtMs = timeOf(fields['updatedAt']);
  if (!id || !isType(type) || createdBy === undefined || !op) return undefined;
  if (version === undefined || createdAtMs === undefined || updatedAtMs === undefined) return undefined;
  if (fields['taskId'] !== ref.taskId || fields['key'] !== ref.key) return undefined;

  const body = outline ? outlinedBody(fields) : storedBody(fields);
  const { url, mimeType, size, expiresAt } = fields;
  const optional = { url, mimeType, size: integerOf(size), expiresAtMs: timeOf(expiresAt) };
  if (!isWhole(type, { ...optional, ...body }, outline)) return undefined;
  if (size !== undefined && optional.size === undefined) return undefined;
  if (expiresAt !== undefined && optional.expiresAtMs === undefined) return undefined;
  return { ...ref, id, type, ...optional, ...body, createdBy, createdAtMs, updatedAtMs, version, op };
}

function isWhole(type: AttachmentType, members: Partial<Attachment>, outline: boolean): boolean {
  const body = BODY[type];
  const member = outline && (body === 'value' || body === 'content') ? 'bytes' : body;
  return members[member] !== undefined;
}

function storedBody({ value, content }: HashFields): Pick<Attachment, 'value' | 'content' | 'bytes'> {
  const text = value ?? content;
  return {
    value: value !== undefined && isJson(value) ? JsonText.restore(value) : undefined,
    content,
    bytes: text === undefined ? undefined : Buffer.byteLength(text),
  };
}

function outlinedBody({ bytes }: HashFields): Pick<Attachment, 'bytes'> {
  return { bytes: integerOf(bytes) };
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

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function timeOf(text: string | undefined): number | undefined {
  const epochMs = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

function integerOf(text: string | undefined): number | undefined {
  const number = text !== undefined && /^\d+$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
