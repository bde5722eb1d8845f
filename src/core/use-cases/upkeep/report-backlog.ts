import type { AttachmentJournal } from '../../ports/attachment-journal';
import type { Metrics } from '../../ports/metrics';
import type { Outbox } from '../../ports/outbox';
import { unlessCacheIsDown } from '../../consistency/unless-cache-is-down';

/** Shows the operator what waits in the outbox and in the journal. */
export class ReportBacklog {
  constructor(
    private readonly outbox: Outbox,
    private readonly journal: AttachmentJournal,
    private readonly metrics: Metrics,
  ) {}

  async execute(): Promise<{ more: false }> {
    const journaled = await unlessCacheIsDown(this.journal.backlog());
    if (journaled) this.metrics.journalBacklog(journaled);
    this.metrics.outboxBacklog(await this.outbox.backlog());
    return { more: false };
  }
}
