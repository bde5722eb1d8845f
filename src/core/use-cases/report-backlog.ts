import type { Metrics } from '../ports/metrics';
import type { Outbox } from '../ports/outbox';

/** Shows operators what waits in the outbox. */
export class ReportBacklog {
  constructor(
    private readonly outbox: Outbox,
    private readonly metrics: Metrics,
  ) {}

  async execute(): Promise<{ more: false }> {
    this.metrics.outboxBacklog(await this.outbox.backlog());
    return { more: false };
  }
}
