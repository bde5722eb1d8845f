import type { Attachment, AttachmentRef } from '../../core/domain/attachment';
import type { CachedAttachment, CachedPage, CachedTask, JournaledChange } from '../../core/ports/attachment-cache';
import { fieldsOfPacked, fromHash, toHash } from './attachment-hash';
import type { JournaledReply } from './cache-scripts';

type PageEntry = NonNullable<CachedPage['page']>['entries'][number];

/** What every reply about a task begins with. */
type TaskReply = readonly [
  floor: string,
  deleted: '0' | '1',
  organization: string | null,
  cursor: string,
  ...rest: readonly unknown[],
];

/** `generation` is the generation in which the reply was requested. */
export function cachedTask([floor, deleted, organization, cursor]: TaskReply, generation: number): CachedTask {
  return {
    token: { floor: Number(floor), generation },
    cursor: Number(cursor),
    organization: organization ?? undefined,
    deleted: deleted === '1',
  };
}

export interface TaskHead {
  readonly about: CachedTask;
  /** Of the records; they follow unless these are more than was asked for. */
  readonly bytes: number;
}

/** The first string of read.lua about a task. */
export function taskHead(packed: string, generation: number): TaskHead {
  const [floor, deleted, cursor, bytes, organization = null] = packed.split('\0') as [
    string,
    '0' | '1',
    string,
    string,
    string?,
  ];
  const about = cachedTask([floor, deleted, organization, cursor], generation);
  return { about, bytes: Number(bytes) };
}

/** A record of read.lua. */
export function cachedAttachment(about: CachedTask, ref: AttachmentRef, packed: string): CachedAttachment {
  const mark = packed[0];
  const attachment = mark === '=' || mark === '+' ? fromHash(ref, fieldsOfPacked(ref.key, packed)) : undefined;
  const deletedVersion = mark === '-' ? Number(packed.slice(1)) : undefined;
  const { token, cursor, organization, deleted } = about;
  // Written out like the attachment: spreading is slow, and every cached read does this.
  return {
    token,
    cursor,
    organization,
    deleted,
    attachment,
    deletedVersion,
    journaled: deletedVersion !== undefined || (attachment !== undefined && mark === '+'),
  };
}

/** A hash that cannot be read leaves its entry without an attachment. */
export function pageEntries(taskId: string, listed: readonly string[], areOutlines: boolean): PageEntry[] {
  return listed.map((packed) => {
    const key = packed.slice(0, packed.indexOf('\0'));
    return { key, attachment: fromHash({ taskId, key }, fieldsOfPacked(key, packed, areOutlines), areOutlines) };
  });
}

/** Leaves out records that cannot be read. */
export function journaledChanges(taskId: string, records: readonly JournaledReply[]): JournaledChange[] {
  return records.flatMap(([key, version, outline]) => {
    const attachment = outline === null ? null : fromHash({ taskId, key }, fieldsOfPacked(key, outline, true), true);
    return attachment === undefined ? [] : [{ key, version: Number(version), attachment }];
  });
}

/** The arguments by which an attachment is passed to the scripts. */
export function scriptArguments(attachment: Attachment, withBody: boolean): (string | number)[] {
  const { key, version, op, expiresAtMs, createdAtMs } = attachment;
  const hash = withBody ? Object.entries(toHash(attachment)).flat() : [];
  return [key, version, op, expiresAtMs ?? 0, createdAtMs, hash.length, ...hash];
}
