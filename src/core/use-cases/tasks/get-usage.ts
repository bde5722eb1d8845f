import type { Caller } from '../../domain/caller';
import type { Quota, Usage } from '../../domain/quota';
import type { Clock } from '../../ports/clock';
import type { Quotas } from '../../ports/quotas';
import { StoreError } from '../../ports/store-error';
import type { TaskStore } from '../../ports/task-store';
import { OPERATION_TIMEOUT_MS } from '../../ports/time-limits';
import { COUNT_TIMEOUT_MS, within } from '../../quotas/organization-use';
import type { UsageByOrganization } from '../../quotas/usage-by-organization';

export interface LimitedUsage extends Usage {
  readonly limits: Quota;
}

/**
 * Counts what the organisation of the caller has stored. If this takes long, the count is kept for a while; one that
 * takes longer than a call goes on, and a later call gets it.
 */
export class GetUsage {
  constructor(
    private readonly store: TaskStore,
    private readonly usage: UsageByOrganization,
    private readonly quotas: Quotas,
    private readonly clock: Clock,
  ) {}

  async execute({ organization }: Caller): Promise<LimitedUsage> {
    const use = this.usage.of(organization);
    const ask = () => this.store.usage(organization, this.clock.nowMs(), COUNT_TIMEOUT_MS);
    const counted = use.expensiveCount ?? (await within(this.clock, OPERATION_TIMEOUT_MS, use.countAnew(ask)));
    if (!counted) throw new StoreError('postgres', 'timeout');
    return { ...counted, limits: this.quotas.of(organization) };
  }
}
