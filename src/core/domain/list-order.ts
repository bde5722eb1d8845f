import type { Attachment, AttachmentType } from './attachment';

/** What decides where an attachment stands in the list of its task. */
export interface ListPlace {
  readonly createdAtMs: number;
  readonly keyBytes: Buffer;
}

export function listPlaceOf({ createdAtMs, key }: Pick<Attachment, 'createdAtMs' | 'key'>): ListPlace {
  return { createdAtMs, keyBytes: Buffer.from(key) };
}

/** By creation, then by the UTF-8 bytes of the keys, as both stores sort: UTF-16 sorts some characters differently. */
export function comparePlaces(a: ListPlace, b: ListPlace): number {
  return a.createdAtMs - b.createdAtMs || Buffer.compare(a.keyBytes, b.keyBytes);
}

export interface ListFilter {
  readonly type?: AttachmentType;
  /** An empty prefix matches every key. */
  readonly keyPrefix: string;
}

export function isAskedFor(attachment: Pick<Attachment, 'type' | 'key'>, { type, keyPrefix }: ListFilter): boolean {
  return (type === undefined || attachment.type === type) && attachment.key.startsWith(keyPrefix);
}

export function inListOrder(attachments: readonly Attachment[]): Attachment[] {
  return attachments
    .map((attachment) => ({ attachment, place: listPlaceOf(attachment) }))
    .sort((a, b) => comparePlaces(a.place, b.place))
    .map(({ attachment }) => attachment);
}
