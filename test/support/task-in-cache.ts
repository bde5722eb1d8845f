import { randomUUID } from 'node:crypto';
import type { Attachment } from '../../src/core/domain/attachment';
import {
  putChange,
  type AppliedReply,
  type AttachmentCache,
  type CachedAttachment,
  type CachedPage,
} from '../../src/core/ports/attachment-cache';
import { sampleAttachment } from './sample-attachment';

export const ORGANIZATION = 'acme';
/** Far ahead of the clock of Redis, which forgets what expired long ago. */
export const NOW_MS = Date.UTC(2100, 0, 1);

/** One task, as a test writes it to a cache and reads it from there. */
export class TaskInCache {
  constructor(
    readonly cache: AttachmentCache,
    readonly id = `t-${randomUUID()}`,
  ) {}

  sample(key: string, version: number, members: Partial<Attachment> = {}): Attachment {
    return sampleAttachment({ taskId: this.id, key, version, ...members });
  }

  /** As if the store had just replied that these are all attachments. Returns the floor: higher versions are new. */
  async fill(attachments: readonly Attachment[]): Promise<number> {
    const { token } = await this.cache.readTask(this.id);
    const whole = { organization: ORGANIZATION, withBodies: true, complete: true };
    await this.cache.fill([{ taskId: this.id, token, attachments, ...whole }]);
    return token.floor;
  }

  apply(attachment: Attachment): Promise<AppliedReply> {
    return this.cache.apply(putChange(attachment));
  }

  applyDeletion(key: string, version: number): Promise<AppliedReply> {
    return this.cache.apply({ taskId: this.id, key, stamp: { version, op: randomUUID() }, attachment: null });
  }

  async floor(): Promise<number> {
    return (await this.cache.readTask(this.id)).token.floor;
  }

  async read(key: string, organization = ORGANIZATION): Promise<CachedAttachment> {
    const [found] = await this.cache.read([{ taskId: this.id, key }], organization);
    return found as CachedAttachment;
  }

  async get(key: string): Promise<Attachment | undefined> {
    return (await this.read(key)).attachment;
  }

  page(): Promise<CachedPage> {
    const page = { limit: 10, offset: 0, descending: false, includeBodies: true, known: [] };
    return this.cache.readPage({ taskId: this.id, organization: ORGANIZATION, nowMs: NOW_MS, page });
  }

  /** Undefined if not all are known. */
  async keys(): Promise<readonly string[] | undefined> {
    return (await this.page()).page?.entries.map(({ key }) => key);
  }
}
