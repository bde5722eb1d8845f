import { Counter, type Registry } from 'prom-client';
import type { CallIds } from '../correlation/call-ids';
import type { BoundedLog } from '../load/bounded-log';
import type { AuthenticationFailure, FailureReason } from './credential';

const REASONS: Record<FailureReason, string> = {
  missing: 'no credential',
  wrong_key: 'an unknown key',
  wrong_token: 'a token that is not valid',
  expired_token: 'a token that has expired',
  key_set_unavailable: 'a token, but the key set is unavailable',
};

/** Shows the operator that callers come without a credential, or with a wrong one. */
export class AuthenticationFailures {
  private readonly counter: Counter<'reason'>;

  constructor(
    registry: Registry,
    private readonly log: BoundedLog,
  ) {
    this.counter = new Counter({
      name: 'dossier_authentication_failures_total',
      help: 'Messages whose sender proved no identity, by reason. Sum over replicas.',
      labelNames: ['reason'],
      registers: [registry],
    });
    for (const reason of Object.keys(REASONS)) this.counter.inc({ reason }, 0);
  }

  readonly add = ({ reason }: AuthenticationFailure, peer: string, ids?: CallIds): void => {
    this.counter.inc({ reason });
    this.log.add(`authentication failed: ${REASONS[reason]}, from ${peer}`, ids);
  };
}
