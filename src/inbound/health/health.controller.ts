import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { DependencyWatch, type DependencyHealth } from './dependency-watch';
import { ProjectChanges } from '../../core/use-cases/upkeep/project-changes';
import { Lifecycle } from './lifecycle';
import { Readiness } from './readiness';

/** The probes of an orchestrator. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly dependencies: DependencyWatch,
    private readonly lifecycle: Lifecycle,
    private readonly project: ProjectChanges,
    private readonly readiness: Readiness,
  ) {}

  /** Does not depend on any store: a restart would not bring a store back. */
  @Get('livez')
  @HealthCheck()
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('startupz')
  @HealthCheck()
  startUp(): { status: 'ok' } {
    if (!this.lifecycle.hasStarted) throw new ServiceUnavailableException({ status: 'starting' });
    return { status: 'ok' };
  }

  @Get('readyz')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.lifecycleHealth(),
      () => this.databaseHealth(),
      () => this.dependencyHealth(),
    ]);
  }

  private lifecycleHealth(): HealthIndicatorResult {
    const phase = this.lifecycle.current;
    return { lifecycle: { status: phase === 'started' ? 'up' : 'down', phase } };
  }

  private databaseHealth(): HealthIndicatorResult {
    return { database: { status: this.readiness.isAtHome ? 'up' : 'down', standing: this.project.standing } };
  }

  /** Either store can answer for the other, and events wait: the service is only degraded if one server is down. */
  private dependencyHealth(): HealthIndicatorResult {
    const { postgres, redis, nats } = this.dependencies.health;
    const indicator = ({ state, reason }: DependencyHealth, whenDown: 'down' | 'degraded') => {
      const whenUp = reason === undefined ? ('up' as const) : ('degraded' as const);
      return { status: state === 'down' ? whenDown : whenUp, state, reason };
    };
    const store = this.readiness.canAnswer ? 'degraded' : 'down';
    return {
      postgres: indicator(postgres, store),
      redis: indicator(redis, store),
      nats: indicator(nats, 'degraded'),
    };
  }
}
