import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { DependencyCheck, type DependencyState } from './dependency-check';
import { Lifecycle } from './lifecycle';

/** The probes of an orchestrator. */
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly dependencies: DependencyCheck,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** Asks nothing of any store: a restart would not bring one back. */
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
    return this.health.check([() => this.lifecycleHealth(), () => this.dependencyHealth()]);
  }

  private lifecycleHealth(): HealthIndicatorResult {
    const phase = this.lifecycle.current;
    return { lifecycle: { status: phase === 'started' ? 'up' : 'down', phase } };
  }

  /** Either store can answer for the other, and events wait: one dependency that is down only degrades the service. */
  private async dependencyHealth(): Promise<HealthIndicatorResult> {
    const states = await this.dependencies.states();
    const canAnswer = states.postgres !== 'down' || states.redis !== 'down';
    const indicator = (state: DependencyState, whenDown: 'down' | 'degraded') => {
      return { status: state === 'down' ? whenDown : ('up' as const), state };
    };
    const store = canAnswer ? 'degraded' : 'down';
    return {
      postgres: indicator(states.postgres, store),
      redis: indicator(states.redis, store),
      nats: indicator(states.nats, 'degraded'),
    };
  }
}
