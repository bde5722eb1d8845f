import { DomainError, refuseIfAny, type FieldError } from './domain-error';
import { keyProblem, newAttachmentId, storableTextProblem, taskIdProblem } from './identifiers';
import { integerProblem } from './integer-problem';
import type { JsonText } from './json-text';
import { MAX_MIME_TYPE_LENGTH, MAX_TTL_SECONDS, MAX_URL_LENGTH } from './limits';
import type { WriteStamp } from './version';

export const ATTACHMENT_TYPES = ['json', 'markdown', 'text', 'url', 'binary'] as const;
export type AttachmentType = (typeof ATTACHMENT_TYPES)[number];

/** What a caller may say of an attachment; undefined means not given. */
export interface AttachmentDraft {
  readonly taskId: string;
  readonly key: string;
  readonly type: AttachmentType;
  readonly value?: JsonText;
  readonly content?: string;
  readonly url?: string;
  readonly mimeType?: string;
  /** In bytes, of what a reference points to. */
  readonly size?: number;
  readonly ttlSeconds?: number;
}

/** A draft that `checkDraft` has found nothing wrong with. */
export interface CheckedDraft extends AttachmentDraft {
  /** As in `Attachment`. */
  readonly bytes: number | undefined;
}

/** One version of one attachment. Immutable: an overwrite makes a new one. */
export interface Attachment {
  readonly id: string;
  readonly taskId: string;
  readonly key: string;
  readonly type: AttachmentType;
  readonly value?: JsonText;
  readonly content?: string;
  readonly url?: string;
  readonly mimeType?: string;
  readonly size?: number;
  /** UTF-8 length of the value's JSON text or of the content; undefined if the type has neither. */
  readonly bytes?: number;
  readonly createdBy: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs?: number;
  readonly version: number;
  readonly op: string;
}

export interface AttachmentRef {
  readonly taskId: string;
  readonly key: string;
}

/** Unambiguous: a task id has no slash. */
export function refName({ taskId, key }: AttachmentRef): string {
  return `${taskId}/${key}`;
}

/** What is announced of an attachment that has expired. */
export type ExpiredAttachment = Pick<Attachment, 'taskId' | 'key' | 'id' | 'version' | 'op'> & {
  readonly expiresAtMs: number;
};

/** The identity that an overwrite inherits from the live attachment it replaces. */
export type AttachmentIdentity = Pick<Attachment, 'id' | 'createdAtMs' | 'createdBy'>;

/** UTF-8 lengths. */
interface BodySizes {
  readonly value?: number;
  readonly content?: number;
}

type BodyDraft = Partial<Omit<AttachmentDraft, 'taskId' | 'key'>>;
type BodyMember = 'value' | 'content' | 'url' | 'mimeType';
/** Which of these members an attachment of each type needs, and which it may have. */
export const TAKEN_BY_TYPE: Record<AttachmentType, { needs: BodyMember; allows: readonly BodyMember[] }> = {
  json: { needs: 'value', allows: ['value'] },
  markdown: { needs: 'content', allows: ['content'] },
  text: { needs: 'content', allows: ['content'] },
  url: { needs: 'url', allows: ['url'] },
  binary: { needs: 'mimeType', allows: ['url'] },
};
/** RFC 6838 §4.2: type "/" subtype, both restricted names, without parameters. */
const RESTRICTED_NAME = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*';
const MIME_TYPE = new RegExp(`^${RESTRICTED_NAME}/${RESTRICTED_NAME}$`);

/** Throws everything that is wrong with a draft. What this costs grows with the body. */
export function checkDraft(draft: AttachmentDraft, maxBytes: number): CheckedDraft {
  const sizes = bodySizes(draft);
  refuseIfAny(identityProblems(draft).concat(problemsOfBody(draft, sizes, maxBytes)));
  return { bytes: sizes.value ?? sizes.content, ...draft };
}

export function createAttachment(
  draft: CheckedDraft,
  at: { nowMs: number; idSuffix: string; createdBy: string; stamp: WriteStamp },
): Attachment {
  const { ttlSeconds, ...members } = draft;
  return {
    id: newAttachmentId(at.nowMs, at.idSuffix),
    version: at.stamp.version,
    op: at.stamp.op,
    createdBy: at.createdBy,
    createdAtMs: at.nowMs,
    updatedAtMs: at.nowMs,
    expiresAtMs: ttlSeconds === undefined ? undefined : at.nowMs + ttlSeconds * 1000,
    ...members,
  };
}

export function isLive(attachment: Attachment, nowMs: number): boolean {
  return attachment.expiresAtMs === undefined || attachment.expiresAtMs > nowMs;
}

/** The outline of an attachment: all of it but `value` and `content`. */
export function outlineOf({ value: _value, content: _content, ...outline }: Attachment): Attachment {
  return outline;
}

/** Everything wrong with the body of a draft and with the members that go with it; the type may be wrong itself. */
export function bodyProblems(draft: BodyDraft, maxBytes: number): FieldError[] {
  return problemsOfBody(draft, bodySizes(draft), maxBytes);
}

function problemsOfBody(draft: BodyDraft, sizes: BodySizes, maxBytes: number): FieldError[] {
  const problems: FieldError[] = [];
  const check = (field: string, problem: string | undefined) => problem && problems.push({ field, message: problem });
  const { type, value, content, url, mimeType, size, ttlSeconds } = draft;
  const takes = type && TAKEN_BY_TYPE[type];
  const refusal = (member: BodyMember) =>
    takes && !takes.allows.includes(member) ? `is not taken by type ${type}` : undefined;

  if (takes && draft[takes.needs] === undefined) check(takes.needs, `is required for type ${type}`);
  if (value) check('value', refusal('value') ?? sizeProblem(sizes.value, maxBytes) ?? value.problem());
  if (content !== undefined) {
    check('content', refusal('content') ?? sizeProblem(sizes.content, maxBytes) ?? storableTextProblem(content));
  }
  if (url !== undefined) check('url', refusal('url') ?? urlProblem(url));
  if (mimeType !== undefined) check('mimeType', mimeTypeProblem(mimeType));
  if (size !== undefined) check('size', integerProblem(size, 1, Number.MAX_SAFE_INTEGER));
  if (ttlSeconds !== undefined) check('ttlSeconds', integerProblem(ttlSeconds, 1, MAX_TTL_SECONDS));
  return problems;
}

export function notFound(ref: AttachmentRef): DomainError {
  return new DomainError({ kind: 'attachment-not-found', taskId: ref.taskId, key: ref.key });
}

function identityProblems({ taskId, key }: AttachmentDraft): FieldError[] {
  return [
    { field: 'taskId', message: taskIdProblem(taskId) },
    { field: 'key', message: keyProblem(key) },
  ].filter((problem): problem is FieldError => problem.message !== undefined);
}

function bodySizes({ value, content }: BodyDraft): BodySizes {
  return { value: value?.sizeBytes, content: content === undefined ? undefined : Buffer.byteLength(content) };
}

function sizeProblem(bytes = 0, maxBytes: number): string | undefined {
  return bytes > maxBytes ? `must be at most ${maxBytes} bytes, is ${bytes}` : undefined;
}

export function urlProblem(url: string): string | undefined {
  if (url.length > MAX_URL_LENGTH) return `must be at most ${MAX_URL_LENGTH} characters long, is ${url.length}`;
  if (storableTextProblem(url)) return storableTextProblem(url);
  // The URL parser forgives white space, control characters and a missing "//"; a URL that is stored as given must not
  // need that.
  if (!URL.canParse(url) || !/^https?:\/\/[^\s\p{Cc}]+$/iu.test(url)) return 'must be an absolute http or https URL';
  // Parsers skip any number of slashes before the host.
  if (/^https?:[/\\]+[^/?#]*@/i.test(url)) return 'must not carry credentials';
  return undefined;
}

function mimeTypeProblem(mimeType: string): string | undefined {
  if (mimeType.length <= MAX_MIME_TYPE_LENGTH && MIME_TYPE.test(mimeType)) return undefined;
  return `must be a media type such as application/pdf, at most ${MAX_MIME_TYPE_LENGTH} characters long`;
}
