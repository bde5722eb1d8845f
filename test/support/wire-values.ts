/** For `toEqual`: members of a reply whose value is not known in advance. */
export const ISO_TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
export const ATTACHMENT_ID = expect.stringMatching(/^ta-\d{13}-[0-9a-z]{9}$/) as unknown;
export const TASK_ID = expect.stringMatching(/^t-\d{13}-[0-9a-z]{9}$/) as unknown;
export const VERSION = expect.any(Number) as unknown;

/** An attachment in a reply. */
export interface WireAttachment {
  readonly id: string;
  readonly taskId: string;
  readonly key: string;
  readonly type: string;
  readonly value?: unknown;
  readonly content?: string;
  readonly url?: string;
  readonly mimeType?: string;
  readonly size?: number;
  readonly bytes?: number;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt?: string;
  readonly version: number;
}

export interface WireAttachmentPage {
  readonly attachments: readonly WireAttachment[];
  readonly totalCount: number;
  readonly hasMore: boolean;
  readonly degraded?: true;
}
