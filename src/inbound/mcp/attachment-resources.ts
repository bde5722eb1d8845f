import type { AttachmentRef, AttachmentType } from '../../core/domain/attachment';
import type { JsonText } from '../../core/domain/json-text';
import { INVALID_PARAMS, JsonRpcError } from '../json-rpc/json-rpc-error';

/** The attachments as MCP resources. */
export const ATTACHMENT_TEMPLATE = {
  uriTemplate: 'dossier://tasks/{taskId}/attachments/{key}',
  name: 'attachment',
  title: 'Attachment of a task',
  description:
    'The body of an attachment. Of a url attachment the URL; of a binary one what is known of the file, which is kept elsewhere.',
};

const URI = /^dossier:\/\/tasks\/([^/?#]+)\/attachments\/([^/?#]+)$/i;

/** Of the body that the service has. */
const MIME_TYPES: Readonly<Record<AttachmentType, string>> = {
  json: 'application/json',
  markdown: 'text/markdown',
  text: 'text/plain',
  url: 'text/uri-list',
  binary: 'application/json',
};

/** What `task.get_attachment` returns of an attachment, before it is written. */
export interface AttachmentView extends AttachmentRef {
  readonly type: AttachmentType;
  readonly value?: JsonText;
  readonly content?: string;
  readonly url?: string;
  readonly size?: number;
  readonly mimeType?: string;
  readonly version: number;
  readonly degraded?: true;
}

interface Contents {
  readonly uri: string;
  readonly mimeType: string;
  readonly text: string;
  readonly _meta: { readonly version: number; readonly degraded?: true };
}

export function attachmentUri({ taskId, key }: AttachmentRef): string {
  return `dossier://tasks/${encodeURIComponent(taskId)}/attachments/${encodeURIComponent(key)}`;
}

/** Throws a `JsonRpcError` if it is not the URI of an attachment. */
export function attachmentRef(uri: string): AttachmentRef {
  const [, taskId, key] = URI.exec(uri) ?? [];
  try {
    if (taskId !== undefined && key !== undefined) {
      return { taskId: decodeURIComponent(taskId), key: decodeURIComponent(key) };
    }
  } catch {
    // A stray percent sign.
  }
  const message = `must be ${ATTACHMENT_TEMPLATE.uriTemplate}, percent-encoded`;
  throw new JsonRpcError(INVALID_PARAMS, 'Invalid params', {
    code: 'INVALID_PARAMS',
    errors: [{ field: 'uri', message }],
  });
}

/** A type that the attachment names itself goes before that of its kind, unless only a link is kept. */
export function attachmentMimeType({ type, mimeType }: Pick<AttachmentView, 'type' | 'mimeType'>): string {
  const own = type === 'url' || type === 'binary' ? undefined : mimeType;
  return own ?? MIME_TYPES[type];
}

export function attachmentContents(uri: string, attachment: AttachmentView): Contents {
  const { version, degraded } = attachment;
  return {
    uri,
    mimeType: attachmentMimeType(attachment),
    text: bodyOf(attachment),
    _meta: { version, ...(degraded && { degraded }) },
  };
}

function bodyOf({ type, value, content, mimeType, size, url }: AttachmentView): string {
  switch (type) {
    case 'json':
      return (value as JsonText).text;
    case 'markdown':
    case 'text':
      return content as string;
    case 'url':
      return url as string;
    case 'binary':
      return JSON.stringify({ mimeType, size, url });
  }
}
