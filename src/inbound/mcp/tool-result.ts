import { jsonElements, jsonMembers } from '../../core/domain/json-text';
import type { Steps } from '../json-rpc/json-scanner';
import { attachmentMimeType, attachmentUri } from './attachment-resources';

/** A larger body would fill the context of a model, whether the model needs it or not. */
export const MAX_INLINE_BYTES = 64 * 1024;

interface ResourceLink {
  readonly type: 'resource_link';
  readonly uri: string;
  readonly name: string;
  readonly mimeType: string;
  /** In bytes. */
  readonly size: number;
}

interface ToolResult {
  /** JSON. */
  readonly text: string;
  readonly links: readonly ResourceLink[];
}

/** The result of a method, in JSON text, with links in place of large bodies; in steps of one attachment. */
export function* toolResult(result: string): Steps<ToolResult> {
  if (Buffer.byteLength(result) <= MAX_INLINE_BYTES) return { text: result, links: [] };
  const links: ResourceLink[] = [];
  const members = jsonMembers(result);
  const attachments = members.get('attachments');
  if (attachments === undefined) linkBody(members, links);
  else {
    yield;
    const elements = jsonElements(attachments);
    for (const [i, one] of elements.entries()) {
      if (one.length > MAX_INLINE_BYTES) yield;
      elements[i] = linked(one, links);
    }
    members.set('attachments', `[${elements.join(',')}]`);
  }
  return { text: links.length > 0 ? textOf(members) : result, links };
}

/** `attachment` may be null. */
function linked(attachment: string, links: ResourceLink[]): string {
  if (attachment.length * 3 <= MAX_INLINE_BYTES || !attachment.startsWith('{')) return attachment;
  const members = jsonMembers(attachment);
  linkBody(members, links);
  return textOf(members);
}

/** Replaces a large body by its length. Results that are no attachments have no member of these names. */
function linkBody(members: Map<string, string>, links: ResourceLink[]): void {
  const [value, content] = [members.get('value'), members.get('content')];
  const body = value ?? (content === undefined ? undefined : (JSON.parse(content) as string));
  if (body === undefined) return;
  const bytes = Buffer.byteLength(body);
  if (bytes <= MAX_INLINE_BYTES) return;
  members.delete('value');
  members.delete('content');
  members.set('bytes', String(bytes));
  const [taskId, key] = ['taskId', 'key'].map((name) => JSON.parse(members.get(name) as string) as string);
  const ref = { taskId: taskId as string, key: key as string };
  const mimeType = attachmentMimeType(members);
  links.push({ type: 'resource_link', uri: attachmentUri(ref), name: ref.key, mimeType, size: bytes });
}

function textOf(members: ReadonlyMap<string, string>): string {
  return `{${[...members].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}
