import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import type { CachedAttachment, CachedTask, JournaledChange } from '../../core/ports/attachment-cache';
import { fieldsOf, fromHash, toHash } from './attachment-hash';
import type { JournaledReply, PageReply, ReadReply, RecordReply } from './cache-scripts';

/** `generation` is that in which the reply was asked for. */
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
  // Spelt out, like the attachment: spreading is slow, and this is on the path of every cached read.
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

/** What cannot be read is left out. */
export function journaledChanges(taskId: string, records: readonly JournaledReply[]): JournaledChange[] {
  return records.flatMap(([key, version, outline]) => {
    const attachment = outline && fromHash({ taskId, key }, fieldsOf(outline), true);
    return attachment === undefined ? [] : [{ key, version: Number(version), attachment }];
  });
}

/** As the scripts take an attachment. */
export function scriptArguments(attachment: Attachment, withBody: boolean): (string | number)[] {
  const { key, version, op, expiresAtMs, createdAtMs } = attachment;
  const hash = withBody ? toHash(attachment) : [];
  return [key, version, op, expiresAtMs ?? 0, createdAtMs, hash.length, ...hash];
}
