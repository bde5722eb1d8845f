import { DomainError, invalid, type FieldError } from './domain-error';
import { JsonText } from './json-text';
import { MAX_RETIRED_MEMBERS, MAX_TASK_JSON_BYTES } from './limits';

/** The member of a task's metadata that attachments have replaced. */
const RETIRED_MEMBER = 'data';

export const RETIRED_FIELD = `metadata.${RETIRED_MEMBER}`;
/** More do not fit into the size of metadata. */
const MAX_METADATA_MEMBERS = MAX_TASK_JSON_BYTES / 4;

/**
 * Takes the retired `metadata.data` out of a new task's metadata: each of its members is to become a json attachment of
 * that name. A member of a few bytes becomes kilobytes, so there may be as many as a batch may have calls; what is
 * stored already (`retiredDataOf`) may have more.
 */
export function splitRetiredData(metadata: JsonText): {
  metadata: JsonText;
  /** Undefined if there was none. */
  data?: ReadonlyMap<string, JsonText>;
} {
  if (!metadata.isObject) return { metadata };
  refuseIfLong('metadata', metadata, MAX_METADATA_MEMBERS);
  const members = metadata.members();
  const data = members.get(RETIRED_MEMBER);
  if (!data) return { metadata };
  if (!data.isObject) throw invalid(RETIRED_FIELD, 'must be an object');
  refuseIfLong(RETIRED_FIELD, data, MAX_RETIRED_MEMBERS, ': add the others with task.create_attachment');
  members.delete(RETIRED_MEMBER);
  return { metadata: JsonText.fromMembers(members), data: data.members() };
}

/** Before it is taken apart, which costs time for each member. */
function refuseIfLong(field: string, object: JsonText, maxMembers: number, howToGoOn = ''): void {
  if (object.hasMoreMembersThan(maxMembers)) {
    throw invalid(field, `must have at most ${maxMembers} members${howToGoOn}`);
  }
}

/** The members of a stored task's `metadata.data`; undefined if it has none, or something else under that name. */
export function retiredDataOf(metadata: JsonText): ReadonlyMap<string, JsonText> | undefined {
  const data = metadata.members().get(RETIRED_MEMBER);
  return data?.isObject ? data.members() : undefined;
}

/** The metadata with these members in its `data`, or without `data` if there are none. */
export function withRetiredData(metadata: JsonText, data: ReadonlyMap<string, JsonText>): JsonText {
  const members = metadata.members();
  if (data.size > 0) members.set(RETIRED_MEMBER, JsonText.fromMembers(data));
  else members.delete(RETIRED_MEMBER);
  return JsonText.fromMembers(members);
}

/**
 * What the refusal of the attachment `key` means for the member of that name; undefined if `error` is something else.
 */
export function retiredDataErrors(key: string, error: unknown): readonly FieldError[] | undefined {
  if (!(error instanceof DomainError && error.refusal.kind === 'invalid')) return undefined;
  return error.refusal.errors.map(({ message }) => ({ field: `${RETIRED_FIELD}.${key}`, message }));
}
