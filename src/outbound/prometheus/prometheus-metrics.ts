import { Counter, type Registry } from 'prom-client';
import type { AttachmentType } from '../../core/domain/attachment';
import { Metrics } from '../../core/ports/metrics';

export class PrometheusMetrics extends Metrics {
  private readonly hits: Counter;
  private readonly misses: Counter;
  private readonly lists: Counter;
  private readonly created: Counter<'type'>;

  constructor(registry: Registry) {
    super();
    const counter = (name: string, help: string) => new Counter({ name, help, registers: [registry] });
    this.hits = counter('dossier_cache_hits_total', 'Attachments answered from the cache');
    this.misses = counter('dossier_cache_misses_total', 'Attachments that the cache could not answer');
    this.lists = counter('dossier_list_queries_total', 'Calls of task.list_attachments');
    this.created = new Counter({
      name: 'dossier_attachments_created_total',
      help: 'Attachments created or replaced, by type',
      labelNames: ['type'],
      registers: [registry],
    });
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
}
