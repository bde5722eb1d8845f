import { Counter, type Registry } from 'prom-client';

const REASONS = ['reply_subject', 'overloaded', 'discovery'] as const;

/** A reply subject that is no inbox; more to refuse than can be refused; more questions of service discovery. */
export type DropReason = (typeof REASONS)[number];

/** Requests that get no reply. */
export class DroppedRequests {
  private readonly dropped: Counter<'reason'>;

  constructor(registry: Registry) {
    this.dropped = new Counter({
      name: 'dossier_nats_requests_dropped_total',
      help: 'NATS requests that were dropped without a reply, by reason. Sum over replicas.',
      labelNames: ['reason'],
      registers: [registry],
    });
    for (const reason of REASONS) this.dropped.inc({ reason }, 0);
  }

  count(reason: DropReason): void {
    this.dropped.inc({ reason });
  }
}
