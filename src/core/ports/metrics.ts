import type { AttachmentType } from '../domain/attachment';
import type { DomainEventType } from '../domain/domain-event';

/** Counts what the operator watches. Never throws, never blocks, and is told no id, key or value. */
export abstract class Metrics {
  /** Attachments that were returned from the cache. */
  abstract cacheHits(count: number): void;
  /** Attachments that the cache did not know. */
  abstract cacheMisses(count: number): void;
  abstract listQuery(): void;
  abstract attachmentCreated(type: AttachmentType): void;
  abstract eventPublished(type: DomainEventType): void;
  /** The bus did not take an event, or did not say so in time; it is published again. */
  abstract publishingFailed(): void;
  /** Whether this replica is the one that publishes. */
  abstract publisher(isPublisher: boolean): void;
  /** Events that wait to be published; the age is 0 if there are none. */
  abstract outboxBacklog(backlog: { readonly count: number; readonly oldestAgeMs: number }): void;
  /** Acknowledged writes that the store has not seen yet, and those that it refused for good. */
  abstract journalBacklog(backlog: { readonly waiting: number; readonly deadLetters: number }): void;
}
