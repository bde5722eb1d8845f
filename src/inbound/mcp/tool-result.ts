import { JsonText } from '../../core/domain/json-text';
import type { Steps } from '../json-rpc/json-scanner';
import { isObject } from '../json-rpc/read-call';
import { attachmentMimeType, attachmentUri, type AttachmentView } from './attachment-resources';

/** A larger body would fill the context of a model, whether the model needs it or not. */
export const MAX_INLINE_BYTES = 64 * 1024;
/** Of the JSON of a result: more than a model can read. */
export const MAX_RESULT_BYTES = 1024 * 1024;

export interface ResourceLink {
  readonly type: 'resource_link';
  readonly uri: string;
  readonly name: string;
  readonly mimeType: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * What a method has returned, with lengths in place of large bodies, and links to these added to `links`; in steps of
 * one large body. A body that is left out is never written.
 */
export function* linkLargeBodies(result: unknown, links: ResourceLink[]): Steps<unknown> {
  if (!isObject(result)) return result;
  const { attachments } = result;
  if (!Array.isArray(attachments)) return linked(result, links);
  const shown: unknown[] = [];
  for (const attachment of attachments as unknown[]) {
    const before = links.length;
    shown.push(linked(attachment, links));
    if (links.length > before) yield;
  }
  return { ...result, attachments: shown };
}

/** Results that are no attachments have no body. */
function linked(result: unknown, links: ResourceLink[]): unknown {
  const body = isObject(result) ? bodyOf(result) : undefined;
  // No text has more bytes than three for each unit.
  if (body === undefined || body.length * 3 <= MAX_INLINE_BYTES) return result;
  const size = Buffer.byteLength(body);
  if (size <= MAX_INLINE_BYTES) return result;
  const attachment = result as AttachmentView;
  const { taskId, key } = attachment;
  const mimeType = attachmentMimeType(attachment);
  links.push({ type: 'resource_link', uri: attachmentUri({ taskId, key }), name: key, mimeType, size });
  return { ...attachment, value: undefined, content: undefined, bytes: size };
}

function bodyOf({ value, content }: Partial<AttachmentView>): string | undefined {
  return value instanceof JsonText ? value.text : content;
}
