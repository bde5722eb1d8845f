import type { Quota } from '../domain/quota';

/** What the operator lets each organisation store. It may change at any time. */
export abstract class Quotas {
  abstract of(organization: string): Quota;
}

export const NO_QUOTAS: Quotas = { of: () => ({}) };
