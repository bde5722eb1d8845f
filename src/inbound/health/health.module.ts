import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller';
import { Lifecycle } from './lifecycle';
import { MetricsController } from './metrics.controller';
import { Readiness } from './readiness';

/** Probes and metrics. The application provides, globally, `DependencyWatch` and the `Registry` of metrics. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController, MetricsController],
  providers: [Lifecycle, Readiness],
  exports: [Lifecycle, Readiness],
})
export class HealthModule {}
