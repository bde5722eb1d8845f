import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import type { CachedAttachment, CachedTask, JournaledChange } from '../../core/ports/attachment-cache';
import { fieldsOf, fromHash, toHash } from './attachment-hash';
import type { JournaledReply, PageReply, ReadReply, RecordReply } from './cache-scripts';

/** `generation` is the generation in which the reply was requested. */
export function cachedTask(
  [floor, deleted, organization, cursor]: ReadReply | PageReply,
  generation: number,
): CachedTask {
  return {
    token: { floor: Number(floor), generation },
    cursor: Number(cursor),
    organization: organization ?? undefined,
    deleted: deleted === '1',
  };
}

export function cachedAttachment(about: CachedTask, ref: AttachmentRef, record: RecordReply): CachedAttachment {
  const [hash, journaled, version] = record;
  const attachment = fromHash(ref, fieldsOf(hash));
  const deletedVersion = version === undefined ? undefined : Number(version);
  const isKnown = attachment !== undefined || deletedVersion !== undefined;
  const { token, cursor, organization, deleted } = about;
  // Written out like the attachment: spreading is slow, and every cached read does this.
  return {
    token,
    cursor,
    organization,
    deleted,
    attachment,
    deletedVersion,
    journaled: isKnown && journaled === '1',
  };
}

/** Leaves out records that cannot be read. */
export function journaledChanges(taskId: string, records: readonly JournaledReply[]): JournaledChange[] {
  return records.flatMap(([key, version, outline]) => {
    const attachment = outline && fromHash({ taskId, key }, fieldsOf(outline), true);
    return attachment === undefined ? [] : [{ key, version: Number(version), attachment }];
  });
}

/** The arguments by which an attachment is passed to the scripts. */
export function scriptArguments(attachment: Attachment, withBody: boolean): (string | number)[] {
  const { key, version, op, expiresAtMs, createdAtMs } = attachment;
  const hash = withBody ? toHash(attachment) : [];
  return [key, version, op, expiresAtMs ?? 0, createdAtMs, hash.length, ...hash];
}
