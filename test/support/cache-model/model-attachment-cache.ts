import type { AttachmentRef } from '../../../src/core/domain/attachment';
import {
  AttachmentCache,
  type AppliedChange,
  type AppliedReply,
  type CachedAttachment,
  type CachedPage,
  type CachedTask,
  type Fill,
  type PageRequest,
  type ProjectionCursor,
} from '../../../src/core/ports/attachment-cache';
import type { OutboxChange } from '../../../src/core/ports/outbox';
import type { CacheModel, KeyAnswer, TaskAnswer } from './cache-model';

/** One replica's cache on a model of Redis. Whatever a method does, it has done when it returns its promise. */
export class ModelAttachmentCache extends AttachmentCache {
  constructor(
    private readonly model: CacheModel,
    /** Of the connection, now. */
    private readonly generation: () => number = () => 0,
  ) {
    super();
  }

  read(refs: readonly AttachmentRef[], organization: string): Promise<readonly CachedAttachment[]> {
    const found = refs.map(({ taskId, key }) => {
      const { found: answers, ...about } = this.model.read(taskId, organization, [key]);
      return { ...this.cachedTask(about), ...(answers[0] as KeyAnswer) };
    });
    return Promise.resolve(found);
  }

  readTask(taskId: string): Promise<CachedTask> {
    return Promise.resolve(this.cachedTask(this.model.readTask(taskId)));
  }

  readPage(request: PageRequest): Promise<CachedPage> {
    const { page, journaled, ...about } = this.model.readPage(request);
    return Promise.resolve({ ...this.cachedTask(about), page, journaled });
  }

  apply(change: AppliedChange): Promise<AppliedReply> {
    return Promise.resolve({ newer: this.model.apply(change), generation: this.generation() });
  }

  wipe(taskId: string, version: number): Promise<void> {
    this.model.wipe(taskId, version);
    return Promise.resolve();
  }

  fill(fills: readonly Fill[]): Promise<void> {
    for (const fill of fills) if (fill.token.generation === this.generation()) this.model.fill(fill);
    return Promise.resolve();
  }

  cursors(): Promise<readonly ProjectionCursor[]> {
    return Promise.resolve([{ position: this.model.cursor, generation: this.generation(), parts: [0] }]);
  }

  project({ position }: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void> {
    this.model.project(position, to, changes);
    return Promise.resolve();
  }

  private cachedTask({ floor, ...about }: TaskAnswer): CachedTask {
    return { ...about, token: { floor, generation: this.generation() } };
  }
}
