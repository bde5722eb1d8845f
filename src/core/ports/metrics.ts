import type { AttachmentType } from '../domain/attachment';

/** Counts what operators watch. Never throws, never blocks, and is told no id, key or value. */
export abstract class Metrics {
  /** Attachments answered from the cache. */
  abstract cacheHits(count: number): void;
  /** Attachments that the cache could not answer. */
  abstract cacheMisses(count: number): void;
  abstract listQuery(): void;
  abstract attachmentCreated(type: AttachmentType): void;
}
