import { Counter, Gauge, type Registry } from 'prom-client';
import type { AttachmentType } from '../../core/domain/attachment';
import type { DomainEventType } from '../../core/domain/domain-event';
import { Metrics } from '../../core/ports/metrics';

export class PrometheusMetrics extends Metrics {
  private readonly hits: Counter;
  private readonly misses: Counter;
  private readonly lists: Counter;
  private readonly created: Counter<'type'>;
  private readonly published: Counter<'type'>;
  private readonly publishFailures: Counter;
  private readonly leader: Gauge;
  private readonly unpublished: Gauge;
  private readonly oldestSeconds: Gauge;
  private readonly journaled: Gauge;
  private readonly deadLetters: Gauge;

  constructor(registry: Registry) {
    super();
    const registers = [registry];
    const counter = (name: string, help: string) =>
      new Counter({ name, help: `${help}. Sum over replicas.`, registers });
    const byType = (name: string, help: string) =>
      new Counter({ name, help: `${help}, by type. Sum over replicas.`, labelNames: ['type'] as const, registers });
    const shared = (name: string, help: string) =>
      new Gauge({ name, help: `${help}. The same for all replicas: max, never sum.`, registers });
    this.hits = counter('dossier_cache_hits_total', 'Attachments answered from the cache');
    this.misses = counter('dossier_cache_misses_total', 'Attachments that the cache could not answer');
    this.lists = counter('dossier_list_queries_total', 'Calls of task.list_attachments');
    this.created = byType('dossier_attachments_created_total', 'Attachments created or replaced');
    this.published = byType('dossier_events_published_total', 'Events published by this replica');
    this.publishFailures = counter('dossier_publish_failures_total', 'Attempts to publish an event that failed');
    this.leader = new Gauge({
      name: 'dossier_publisher_leader',
      help: '1 on the replica that publishes events, 0 on the others. Sum over replicas: 1.',
      registers,
    });
    this.unpublished = shared('dossier_outbox_unpublished', 'Events that wait to be published');
    this.oldestSeconds = shared('dossier_outbox_oldest_seconds', 'How long the oldest unpublished event has waited');
    this.journaled = shared('dossier_journal_waiting', 'Acknowledged writes that the database has not seen yet');
    this.deadLetters = shared('dossier_journal_dead_letters', 'Acknowledged writes that the database refused for good');
  }

  cacheHits(count: number): void {
    this.hits.inc(count);
  }

  cacheMisses(count: number): void {
    this.misses.inc(count);
  }

  listQuery(): void {
    this.lists.inc();
  }

  attachmentCreated(type: AttachmentType): void {
    this.created.inc({ type });
  }

  eventPublished(type: DomainEventType): void {
    this.published.inc({ type });
  }

  publishingFailed(): void {
    this.publishFailures.inc();
  }

  publisher(isPublisher: boolean): void {
    this.leader.set(isPublisher ? 1 : 0);
  }

  outboxBacklog({ count, oldestAgeMs }: { readonly count: number; readonly oldestAgeMs: number }): void {
    this.unpublished.set(count);
    this.oldestSeconds.set(oldestAgeMs / 1000);
  }

  journalBacklog({ waiting, deadLetters }: { readonly waiting: number; readonly deadLetters: number }): void {
    this.journaled.set(waiting);
    this.deadLetters.set(deadLetters);
  }
}
