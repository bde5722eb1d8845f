import { outlineOf, type Attachment } from '../domain/attachment';
import type { AttachmentListQuery } from '../ports/attachment-store';

export interface AttachmentPage {
  readonly attachments: readonly Attachment[];
  readonly totalCount: number;
  readonly hasMore: boolean;
  /** The store should have been asked, and was unavailable; if the cache does not know either, the page is empty. */
  readonly degraded?: true;
}

export function pageOf(
  query: AttachmentListQuery,
  attachments: readonly Attachment[],
  totalCount: number,
  degraded?: true,
): AttachmentPage {
  const shown = query.includeBodies ? attachments : attachments.map(outlineOf);
  return { attachments: shown, totalCount, hasMore: query.offset + attachments.length < totalCount, degraded };
}

/** The index of the cache knows neither types nor prefixes. */
export function isFiltered({ type, keyPrefix }: Pick<AttachmentListQuery, 'type' | 'keyPrefix'>): boolean {
  return type !== undefined || keyPrefix !== '';
}
