import { Global, Module } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Metrics } from '../../core/ports/metrics';
import { PrometheusMetrics } from './prometheus-metrics';

/** Metrics of the use cases, and the registry of this process. Global: every module may register metrics of its own. */
@Global()
@Module({
  providers: [
    { provide: Registry, useFactory: openRegistry },
    { provide: Metrics, useFactory: (registry: Registry) => new PrometheusMetrics(registry), inject: [Registry] },
  ],
  exports: [Registry, Metrics],
})
export class PrometheusModule {}

function openRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges with the ending of counters; their parts, by type, stay.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  return registry;
}
