import { Injectable } from '@nestjs/common';
import { ProjectChanges } from '../../core/use-cases/upkeep/project-changes';
import { DependencyWatch } from './dependency-watch';
import { Lifecycle } from './lifecycle';

/**
 * Whether this replica should be sent calls: what `/readyz` says, and what decides whether requests over NATS are
 * taken.
 */
@Injectable()
export class Readiness {
  constructor(
    private readonly dependencies: DependencyWatch,
    private readonly lifecycle: Lifecycle,
    private readonly project: ProjectChanges,
  ) {}

  get isReady(): boolean {
    return this.lifecycle.current === 'started' && this.isAtHome && this.canAnswer;
  }

  /** Aborted when this replica begins to leave: it is not ready then, and never will be again. */
  get isOver(): AbortSignal {
    return this.lifecycle.departure;
  }

  /**
   * Store and cache of two databases must not serve together. A server that was replaced is only an unavailable one.
   */
  get isAtHome(): boolean {
    const { standing } = this.project;
    return standing === 'home' || standing === 'replaced' || standing === 'starting';
  }

  /** Either store can answer for the other. A cache in the process is no store: it has no journal, and forgets. */
  get canAnswer(): boolean {
    const { postgres, redis } = this.dependencies.health;
    return postgres.state !== 'down' || redis.state === 'up';
  }
}
