import type { AttachmentRef, AttachmentType } from '../../core/domain/attachment';
import { jsonMembers } from '../../core/domain/json-text';
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

/**
 * Of the body that the service has. A type that the attachment names itself goes before it, unless only a link is kept.
 */
const MIME_TYPES: Readonly<Record<AttachmentType, string>> = {
  json: 'application/json',
  markdown: 'text/markdown',
  text: 'text/plain',
  url: 'text/uri-list',
  binary: 'application/json',
};

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

/** `members` are those of an attachment in a result, as JSON text. */
export function attachmentMimeType(members: ReadonlyMap<string, string>): string {
  const type = parsed<AttachmentType>(members, 'type');
  const own = type === 'url' || type === 'binary' ? undefined : parsed<string | undefined>(members, 'mimeType');
  return own ?? MIME_TYPES[type];
}

/** `result` is the JSON text of a result of `task.get_attachment`. */
export function attachmentContents(uri: string, result: string): Contents {
  const members = jsonMembers(result);
  const degraded = parsed<true | undefined>(members, 'degraded');
  return {
    uri,
    mimeType: attachmentMimeType(members),
    text: bodyOf(members),
    _meta: { version: parsed(members, 'version'), ...(degraded && { degraded }) },
  };
}

function bodyOf(members: ReadonlyMap<string, string>): string {
  switch (parsed<AttachmentType>(members, 'type')) {
    case 'json':
      return members.get('value') as string;
    case 'markdown':
    case 'text':
      return parsed(members, 'content');
    case 'url':
      return parsed(members, 'url');
    case 'binary':
      return fileReference(members);
  }
}

function fileReference(members: ReadonlyMap<string, string>): string {
  const known = ['mimeType', 'size', 'url'].filter((name) => members.has(name));
  return `{${known.map((name) => `"${name}":${members.get(name)}`).join(',')}}`;
}

function parsed<Value>(members: ReadonlyMap<string, string>, name: string): Value {
  const text = members.get(name);
  return (text === undefined ? undefined : JSON.parse(text)) as Value;
}
