import type { Attachment, AttachmentRef } from '../../../src/core/domain/attachment';
import {
  AttachmentCache,
  type AppliedChange,
  type AppliedReply,
  type CachedAttachment,
  type CachedPage,
  type CachedTask,
  type EpochClaim,
  type EpochVerdict,
  type Fill,
  type PageRequest,
  type ProjectionCursor,
} from '../../../src/core/ports/attachment-cache';
import type { OutboxChange } from '../../../src/core/ports/outbox';
import { OUTLINE_BYTES, type Room } from '../../../src/core/ports/room';
import type { CacheModel, KeyAnswer, TaskAnswer } from './cache-model';
import { inEpoch, ModelEpoch, type UsedEpoch } from './model-epoch';

/** One replica's cache on a model of Redis. Whatever a method does, it has done when it returns its promise. */
export class ModelAttachmentCache extends AttachmentCache {
  constructor(
    private readonly model: CacheModel,
    private readonly epoch: UsedEpoch = new ModelEpoch(model),
    /** Of the store, as this replica has it. */
    private readonly address = 'unknown',
  ) {
    super();
  }

  read(refs: readonly AttachmentRef[], organization: string, room?: Room): Promise<readonly CachedAttachment[]> {
    return inEpoch(this.epoch, () => {
      const found = refs.map(({ taskId, key }) => {
        const { found: answers, ...about } = this.model.read(taskId, organization, [key]);
        return { ...this.cachedTask(about), ...(answers[0] as KeyAnswer) };
      });
      room?.take(bytesOf(found));
      return found;
    });
  }

  readTask(taskId: string): Promise<CachedTask> {
    return inEpoch(this.epoch, () => {
      return this.cachedTask(this.model.readTask(taskId));
    });
  }

  readPage(request: PageRequest): Promise<CachedPage> {
    return inEpoch(this.epoch, () => {
      const { page, journaled, ...about } = this.model.readPage(request);
      if (!request.page) request.room?.take(outlineBytesOf(journaled));
      else if (request.page.includeBodies) request.room?.take(bytesOf(page?.entries));
      return { ...this.cachedTask(about), page, journaled };
    });
  }

  apply(change: AppliedChange): Promise<AppliedReply> {
    return inEpoch(this.epoch, () => {
      return { newer: this.model.apply(change), generation: this.epoch.generation };
    });
  }

  wipe(taskId: string, version: number): Promise<void> {
    return inEpoch(this.epoch, () => {
      this.model.wipe(taskId, version);
    });
  }

  fill(fills: readonly Fill[]): Promise<void> {
    return inEpoch(this.epoch, () => {
      for (const fill of fills) if (fill.token.generation === this.epoch.generation) this.model.fill(fill);
    });
  }

  cursors(): Promise<readonly ProjectionCursor[]> {
    const owner = this.model.ownerFor(this.address);
    const { cursor: position } = this.model;
    return Promise.resolve([{ position, generation: this.epoch.generation, parts: [0], ...(owner && { owner }) }]);
  }

  project({ position }: ProjectionCursor, changes: readonly OutboxChange[], to: number): Promise<void> {
    return inEpoch(this.epoch, () => {
      this.model.project(position, to, changes);
    });
  }

  enter(_parts: readonly number[], claim: EpochClaim): Promise<EpochVerdict> {
    return Promise.resolve(this.model.enter(claim, this.address));
  }

  private cachedTask({ floor, ...about }: TaskAnswer): CachedTask {
    return { ...about, token: { floor, generation: this.epoch.generation } };
  }
}

function bytesOf(found: readonly { readonly attachment?: Attachment }[] = []): number {
  return found.reduce((sum, { attachment }) => sum + (attachment?.bytes ?? 0), 0);
}

function outlineBytesOf(changes: CachedPage['journaled'] = []): number {
  return changes.reduce((sum, { attachment }) => sum + OUTLINE_BYTES + Buffer.byteLength(attachment?.url ?? ''), 0);
}
